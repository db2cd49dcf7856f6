# SPDX-License-Identifier: Apache-2.0
"""`ros2 launch` and other commands of ros2 as a user types them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

ROS2 = Path(sys.executable).parent / "ros2"
PROJECT = Path(__file__).resolve().parents[3]
# Small and quick; what a test is about it sets itself.
PARAMETERS = {
    "network_size": [96, 160],
    "diagnostics.period": 0.2,
    "device": "cpu",
    "backend": "torch",
}


class Launched:
    """A running command of ros2 and what it has said so far."""

    def __init__(self, log: Path, *arguments: object, **environment: str) -> None:
        self.log = log
        command = [str(ROS2) if ROS2.exists() else "ros2", *map(str, arguments)]
        with log.open("w") as output:
            self.process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for_text(self, text: str, timeout_s: float = 90.0) -> None:
        end = time.monotonic() + timeout_s
        while text not in self.text:
            assert time.monotonic() < end, f"'{text}' was not said; but:\n{self.text}"
            assert self.process.poll() is None or text in self.text, f"it ended:\n{self.text}"
            time.sleep(0.05)

    def stop(self) -> int:
        for how, patience_s in ((signal.SIGINT, 30), (signal.SIGTERM, 10), (signal.SIGKILL, 10)):
            if self.process.poll() is None:
                os.killpg(self.process.pid, how)
                try:
                    self.process.wait(patience_s)
                except subprocess.TimeoutExpired:
                    continue
        return self.process.wait(1)


@contextmanager
def launcher(folder: Path) -> Iterator[Callable[..., Launched]]:
    """Give a function that launches depth_node; all that it launched is ended at the end."""
    running: list[Launched] = []

    def launch(*arguments: object, wait: str = "active; listening", **options: Any) -> Launched:
        parameters = {**PARAMETERS, **options.pop("parameters", {})}
        file = folder / f"parameters{len(running)}.yaml"
        file.write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters}}))
        launched = Launched(
            folder / f"launch{len(running)}.log",
            "launch",
            PROJECT / "launch" / "depth.launch.py",
            f"params_file:={file}",
            *arguments,
            **options,
        )
        running.append(launched)
        if wait:
            launched.wait_for_text(wait)
        return launched

    try:
        yield launch
    finally:
        for launched in running:
            launched.stop()
