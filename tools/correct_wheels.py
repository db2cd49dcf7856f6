# SPDX-License-Identifier: Apache-2.0
"""Point the ROS wheels' CMake files at this machine.

The wheels carry the include paths of the machine that built them (/opt/python/cp311-cp311/...),
which CMake then refuses as not existing. Run with the virtual environment's Python; running it
again changes nothing.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

import numpy


def main() -> int:
    """Correct every CMake file of the environment's share folder; return the exit status."""
    python_include = sysconfig.get_path("include")
    if not (Path(python_include) / "Python.h").is_file():
        sys.stderr.write(
            f"No Python headers in {python_include}: the ROS messages cannot be compiled. "
            "Install them, for example with: sudo apt install python3-dev\n"
        )
        return 1
    replacements = (
        (re.compile(r"/opt/python/[\w.-]+/lib/[\w./-]+/numpy/_?core/include"), numpy.get_include()),
        (re.compile(r"/opt/python/[\w.-]+/include/python3\.\d+"), python_include),
    )
    for path in sorted((Path(sys.prefix) / "share").glob("*/cmake/*.cmake")):
        before = after = path.read_text()
        for pattern, value in replacements:
            after = pattern.sub(value, after)
        if after != before:
            path.write_text(after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
