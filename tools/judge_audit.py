# SPDX-License-Identifier: Apache-2.0
"""Judge a JSON report of pip-audit: a package that could not be looked up is no clean one.

    python3 tools/judge_audit.py REPORT.json

Exit status 0: all were looked up, none is vulnerable. 1: something is vulnerable. 2: some could not
be looked up.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def judge(packages: list[dict]) -> tuple[int, str]:
    """Return the exit status and what to say.

    Args:
        packages: The list ``dependencies`` of the report.
    """
    lines = []
    unknown = [p for p in packages if "skip_reason" in p]
    vulnerable = [p for p in packages if p.get("vulns")]
    for package in vulnerable:
        for found in package["vulns"]:
            fixed = ", ".join(found.get("fix_versions") or []) or "no version yet"
            lines.append(f"{package['name']} {package['version']}: {found['id']}; fixed in {fixed}")
    looked_up = len(packages) - len(unknown)
    lines.append(
        f"{looked_up} of {len(packages)} packages looked up, {len(vulnerable)} of them vulnerable."
    )
    if unknown:
        names = ", ".join(p["name"] for p in unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        lines.append(
            f"{len(unknown)} packages could not be looked up ({names}{more}): they are not "
            "audited. PyPI's vulnerability data (https://pypi.org/pypi/<name>/json) cannot be "
            "reached from here, or these packages come from elsewhere. Run it where PyPI itself is "
            "reachable."
        )
    return (1 if vulnerable else 2 if unknown or not packages else 0), "\n".join(lines)


if __name__ == "__main__":
    exit_status, text = judge(json.loads(Path(sys.argv[1]).read_text())["dependencies"])
    sys.stdout.write(text + "\n")
    sys.exit(exit_status)
