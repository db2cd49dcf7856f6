#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Print the first block of shell commands below a heading of README.md, so that what tries README
# (the workflows, tools/newcomer.sh) runs exactly its lines.
#
#   tools/readme.sh "With ROS 2" | bash -e
set -euo pipefail
block=$(awk -v heading="## $1" '
    /^## / { below = ($0 == heading) }
    below && /^```bash$/ { inside = 1; next }
    inside && /^```$/ { exit }
    inside { print }
' "$(dirname "$0")/../README.md")
[ -n "$block" ] || { echo "README.md has no commands below: ## $1" >&2; exit 1; }
printf '%s\n' "$block"
