#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Run the tests that need no ROS with the versions that Ubuntu 22.04 and 24.04 have: the environment
# that `make setup` makes there (requirements/with_ros.txt), with apt's versions from PyPI instead.
# Each set has an environment of its own in .venv/compat.
#
#   SETS          jammy and noble (default both)
#   JAMMY_PYTHON  interpreter (default python3.10)
#   NOBLE_PYTHON  interpreter (default python3.12, else python3.11)
#   TESTS         what to run (default: all of test/ but ros, faults and demo)
#   TORCH_INDEX   further package index for PyTorch, as for make setup
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[1m[compat]\033[0m %s\n' "$*"; }
fail() { printf '\033[1m[compat] %s\033[0m\n' "$*" >&2; exit 1; }

# Print the first interpreter that runs.
first_of() {
    local python
    for python; do "$python" --version > /dev/null 2>&1 && { echo "$python"; return; }; done
    fail "none of these interpreters is installed: $*"
}

if [ -n "${TESTS:-}" ]; then
    read -r -a tests <<< "$TESTS"
else
    mapfile -t tests < <(ls -d test/*/ test/test_*.py | grep -vE '^test/(ros|faults|demo|__pycache__)/')
fi
index=()
[ -n "${TORCH_INDEX:-}" ] && index=(--extra-index-url "$TORCH_INDEX")

for set in ${SETS:-jammy noble}; do
    case $set in
        jammy) python=$(first_of "${JAMMY_PYTHON:-python3.10}") ;;
        noble) python=$(first_of ${NOBLE_PYTHON:-python3.12 python3.11}) ;;
        *) fail "SETS may name jammy and noble, not $set" ;;
    esac
    venv=.venv/compat/$set
    # A path that shadows another Python's packages would spoil the trial.
    run() { env -u PYTHONPATH "$venv/bin/python" "$@"; }
    pip() { run -m pip install -q --disable-pip-version-check "${index[@]}" "$@"; }
    say "$set: $("$python" --version), $(grep -v '^#' "requirements/$set.txt" | tr '\n' ' ')"
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    sum=$(cat requirements/{with_ros,oracles,"$set"}.txt | sha256sum)
    if [ "$(cat "$venv/.installed" 2>/dev/null)" != "$sum" ]; then
        pip -r "requirements/$set.txt" -r requirements/with_ros.txt
        pip --no-deps -r requirements/oracles.txt
        echo "$sum" > "$venv/.installed"
    fi
    run -m pytest -q "${tests[@]}" || fail "the tests fail with $set's versions"
done
say "done: ${SETS:-jammy noble}"
