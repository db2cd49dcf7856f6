# SPDX-License-Identifier: Apache-2.0
"""Looks on while a process runs: calls to other machines, installers, and what was imported."""

import atexit
import json
import os
import sys
from pathlib import Path

_REPORT = os.environ.get("GUARD_REPORT")
_INSTALLERS = {"pip", "pip3", "uv", "conda", "apt", "apt-get", "git", "curl", "wget", "npm"}
_calls: list[str] = []


def _look(event: str, arguments: tuple) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        if not str(arguments[1][0]).startswith(("127.", "::1", "localhost")):
            _calls.append(f"connect {arguments[1]}")
    elif event == "socket.getaddrinfo":
        _calls.append(f"look up {arguments[0]}")
    elif event == "subprocess.Popen":
        words = [str(arguments[0]), *map(str, arguments[1] or ())]
        if _INSTALLERS & {Path(word).name for word in words}:
            _calls.append(f"run {' '.join(words)}")


def _tell() -> None:
    modules = sorted({name.split(".")[0] for name in sys.modules})
    partial = Path(f"{_REPORT}.{os.getpid()}")
    partial.write_text(json.dumps({"calls": _calls, "modules": modules}))
    partial.replace(str(_REPORT))


if _REPORT and "depth_node" in " ".join(sys.orig_argv) and "launch.py" not in str(sys.orig_argv):
    sys.addaudithook(_look)
    atexit.register(_tell)
