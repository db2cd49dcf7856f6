#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Build the documentation site; a broken link or a page that nothing leads to is an error.
#
#   OUT      folder of the site (default out/site)
#   PYTHON   interpreter to make the tool's own environment with (default python3)
set -euo pipefail
cd "$(dirname "$0")/.."

tools=.venv/docs   # of its own: the tool's dependencies are none of the project's
out=${OUT:-out/site}
if [ ! -e "$tools/.done" ] || [ requirements/docs.txt -nt "$tools/.done" ]; then
    printf '[docs] installing mkdocs into %s\n' "$tools"
    "${PYTHON:-python3}" -m venv "$tools" || { echo "[docs] python3 -m venv failed; install python3-venv." >&2; exit 1; }
    "$tools/bin/python" -m pip install -q --disable-pip-version-check -r requirements/docs.txt
    touch "$tools/.done"
fi
NO_MKDOCS_2_WARNING=1 "$tools/bin/python" -m mkdocs build --strict --quiet --site-dir "$(realpath -m "$out")"
printf '[docs] open %s/index.html\n' "$out"
