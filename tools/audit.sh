#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Look up every pinned package in PyPI's list of known vulnerabilities (pip-audit). The exit status
# is 0 only if each of them could be looked up and none is vulnerable.
#
#   AUDIT_FILES   requirement files, exact pins only (default: all that make setup installs)
#   ADVISORIES    a checkout of https://github.com/pypa/advisory-database, to look there instead, where
#                 PyPI's data cannot be reached; needs what make setup installs
#   PYTHON        interpreter to make the tool's own environment with (default python3)
set -euo pipefail
cd "$(dirname "$0")/.."

read -r -a files <<< "${AUDIT_FILES:-requirements/python.txt requirements/ros.txt requirements/oracles.txt}"
tools=.venv/audit   # of its own: the tool's dependencies are none of the project's
report=$(mktemp)
trap 'rm -f "$report"' EXIT

say() { printf '[audit] %s\n' "$*"; }
fail() { printf '[audit] %s\n' "$*" >&2; exit 1; }

if [ -n "${ADVISORIES:-}" ]; then
    say "looking up the packages of ${files[*]} in $ADVISORIES"
    .venv/bin/python tools/look_up_offline.py "$ADVISORIES" "${files[@]}" > "$report" \
        || fail "ADVISORIES must be a checkout of the advisory database, and make setup be done."
    python3 tools/judge_audit.py "$report"
    exit
fi

if [ ! -x "$tools/bin/pip-audit" ]; then
    say "installing pip-audit into $tools"
    "${PYTHON:-python3}" -m venv "$tools" || fail "python3 -m venv failed; install python3-venv."
    "$tools/bin/python" -m pip install -q --disable-pip-version-check -r requirements/audit.txt \
        || fail "pip-audit cannot be installed: there is no way to a package index from here."
fi

options=()
for file in "${files[@]}"; do
    [ -r "$file" ] || fail "there is no requirement file $file."
    options+=(--requirement "$file")
done
say "looking up the packages of ${files[*]}"
status=0
"$tools/bin/pip-audit" "${options[@]}" --no-deps --disable-pip --format json --timeout 15 \
    --progress-spinner off > "$report" 2> "$report.log" || status=$?
[ -s "$report" ] || {
    tail -3 "$report.log" >&2
    rm -f "$report.log"
    fail "pip-audit gave no answer (exit status $status). It needs https://pypi.org/pypi/<name>/json."
}
rm -f "$report.log"
python3 tools/judge_audit.py "$report"
