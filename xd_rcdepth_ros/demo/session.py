# SPDX-License-Identifier: Apache-2.0
"""Measures this machine's pace, and runs ``demo.launch.py`` for a bag at that pace."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from xd_rcdepth_ros.demo.drives import Leg
from xd_rcdepth_ros.errors import RecordingError, XDRCDepthError
from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.inference import DepthEstimator
from xd_rcdepth_ros.recordings.pointcloud import RadarFieldMap
from xd_rcdepth_ros.ros_environment import this_machine_only

# The depth node shares the machine with the player, the recorder and its own pictures.
HEADROOM = 1.8
SLOWEST_RATE = 0.01
READY = "READY:"  # what nodes/demo_recorder.py says when all is subscribed
# Domains whose ports lie above those that Linux hands out to others.
_DOMAINS = range(215, 231)
START_TIMEOUT_S = 90.0  # for the depth node to be active


class SessionError(XDRCDepthError):
    """The replay could not be run to its end."""


@dataclass(frozen=True)
class Pace:
    """How fast this machine is, and how fast it therefore replays.

    Attributes:
        frame_ms: Time the estimator takes for a frame when it is alone, milliseconds.
        play_rate: Speed of the replay; 1.0 is real time.
    """

    frame_ms: float
    play_rate: float


def measure_pace(
    estimator: DepthEstimator,
    frame: SensorFrame,
    period_s: float,
    repeats: int = 8,
    patience_s: float = 8.0,
) -> Pace:
    """Time the estimator on a real frame and choose the speed of the replay.

    Args:
        estimator: The loaded model.
        frame: A frame of the drive.
        period_s: Time between two images of the drive, seconds.
        repeats: Timed runs at most, after one that is not.
        patience_s: After this time no further run is begun, once there are three.
    """
    began_s = time.perf_counter()
    estimator.estimate(frame)
    times_s: list[float] = []
    while len(times_s) < 3 or (
        len(times_s) < repeats and time.perf_counter() - began_s < patience_s
    ):
        start_s = time.perf_counter()
        estimator.estimate(frame)
        times_s.append(time.perf_counter() - start_s)
        time.sleep((HEADROOM - 1) * times_s[-1])  # as it will be in the replay
    # What else runs on the machine comes and goes: the fastest run says what it can hold.
    return Pace(1000 * min(times_s), choose_rate(min(times_s), period_s))


def choose_rate(frame_s: float, period_s: float) -> float:
    """Return 1.0 if a frame fits into the drive's period with headroom, else what does fit."""
    held = period_s / (HEADROOM * frame_s)
    held += 1e-9  # rounding down must not take a step from a whole number
    if held >= 1.0:
        return 1.0
    step = 0.01 if held > 0.1 else 0.001
    return max(SLOWEST_RATE, round(step * int(held / step), 3))


def free_domain() -> int:
    """Return a ROS domain whose discovery port is free on this machine."""
    domains = random.sample(_DOMAINS, len(_DOMAINS))
    for domain in domains:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:  # first participant's unicast port, by the RTPS rules for port numbers
                probe.bind(("", 7400 + 250 * domain + 10))
            except OSError:
                continue
            return domain
    return domains[0]


def session_environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the ROS processes: own domain, this machine only."""
    bin_folder = str(Path(sys.executable).parent)
    environment = {
        **given,
        "PATH": os.pathsep.join([bin_folder, given.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
    }
    environment.setdefault("ROS_DOMAIN_ID", str(free_domain()))
    return environment | this_machine_only(environment)


def run_session(
    leg: Leg,
    folder: Path,
    rate: float,
    model: Path,
    device: str = "auto",
    on_ready: Callable[[], None] | None = None,
    start_timeout_s: float = START_TIMEOUT_S,
) -> list[dict[str, Any]]:
    """Replay a bag through the depth node, in processes of their own, and record the outputs.

    Args:
        leg: What to replay.
        folder: Where ``outputs`` (rosbag2), ``arrivals.json`` and ``launch.log`` are written.
        rate: Speed; 1.0 is real time.
        model: Model file.
        device: Device of the depth node.
        on_ready: Called when the replay begins.
        start_timeout_s: Longest wait for the depth node to be active, seconds.

    Returns:
        Name and pid of each process.

    Raises:
        SessionError: ROS is not there, or the replay did not come to its end.
    """
    environment = session_environment(os.environ)
    ros2 = shutil.which("ros2", path=environment["PATH"])
    if ros2 is None:
        raise SessionError(
            "no 'ros2' command was found. Source ROS 2, or make the environment with 'make setup'."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for old in ("arrivals.json", "processes.json"):
        (folder / old).unlink(missing_ok=True)
    arguments: dict[str, Any] = {
        "bag": leg.bag.resolve(),
        "out": folder.resolve(),
        "rate": rate,
        "duration": leg.play_s,
        "image": leg.topics.image,
        "camera_info": leg.topics.camera_info,
        "radars": ",".join(leg.radars),
        "radar_topics": ",".join((leg.topics.radars or {})[radar] for radar in leg.radars),
        "saliency_rate": round(saliency_rate_hz(leg.period_s / rate), 3),
        "model_file": model.resolve(),
        "device": device,
        "start_timeout": start_timeout_s,
    }
    if leg.radars:
        file = write_radar_fields(folder / "radar_fields.yaml", leg.radar_fields)
        arguments["params_file"] = file.resolve()
    command = [ros2, "launch", "xd_rcdepth_ros", "demo.launch.py"]
    command += [f"{name}:={value}" for name, value in arguments.items()]
    limit_s = 2 * (start_timeout_s + len(leg.stamps_ns) * leg.period_s / rate)
    tail = _watch(command, environment, folder / "launch.log", limit_s, on_ready)
    try:
        processes = json.loads((folder / "processes.json").read_text())
    except (OSError, ValueError):
        processes = []
    if not (folder / "arrivals.json").is_file():
        raise SessionError(
            f"the replay of {leg.bag} did not come to its end; the last lines of "
            f"{folder / 'launch.log'}:\n" + "\n".join(tail)
        )
    return [dict(process) for process in processes]


def write_radar_fields(file: Path, fields: Mapping[str, RadarFieldMap]) -> Path:
    """Write a params file that lets the depth node read the radar's fields as the reader does."""
    radar = {name: {"fields": asdict(field_map)} for name, field_map in fields.items()}
    content = {"/**": {"ros__parameters": {"radar": radar}}}
    # Quoted: ROS reads a bare y as true.
    file.write_text(yaml.safe_dump(content, default_style='"'), encoding="utf8")
    return file


def find_radar_complaint(log: Path) -> str:
    """Return the first warning or error about the radar in a launch's log; empty if there is none.

    Args:
        log: What the processes said.
    """
    for line in log.read_text(encoding="utf8", errors="replace").splitlines():
        if ("[WARN]" in line or "[ERROR]" in line) and "radar" in line.lower():
            return line.rpartition("]: ")[2].strip()
    return ""


def saliency_rate_hz(period_s: float) -> float:
    """Return a rate of saliency maps that leaves the depth its time.

    One in eight frames, but none sooner than two seconds after the last: a map takes a core as long
    as several frames, and the report needs a few.
    """
    return min(0.5, max(0.05, 1.0 / (8 * period_s)))


def _watch(
    command: list[str],
    environment: Mapping[str, str],
    log: Path,
    limit_s: float,
    on_ready: Callable[[], None] | None,
) -> list[str]:
    """Run the launch to its end, keep what it says, and return the last lines."""
    tail: deque[str] = deque(maxlen=12)
    with log.open("w", encoding="utf-8") as file:
        file.write(" ".join(command) + "\n")
        process = subprocess.Popen(
            command,
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # an interrupt is passed on once, in order
        )
        assert process.stdout is not None
        alarm = _Alarm(process, limit_s)
        try:
            for line in process.stdout:
                file.write(line)
                tail.append(line.rstrip())
                if READY in line and on_ready is not None:
                    on_ready()
            process.wait()
        finally:
            alarm.cancel()
            _end(process)
    if alarm.rang:
        tail.append(f"(ended after {limit_s:.0f} s)")
    return list(tail)


class _Alarm:
    """Interrupts a process after a time."""

    def __init__(self, process: subprocess.Popen[str], limit_s: float) -> None:
        self.rang = False
        self._process = process
        self._timer = threading.Timer(limit_s, self._ring)
        self._timer.daemon = True
        self._timer.start()

    def _ring(self) -> None:
        self.rang = True
        _end(self._process)

    def cancel(self) -> None:
        """Let the process be."""
        self._timer.cancel()


def _end(process: subprocess.Popen[str]) -> None:
    """End a launch and its processes: politely first."""
    for number, patience_s in ((signal.SIGINT, 15), (signal.SIGTERM, 10)):
        if process.poll() is not None:
            return
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)  # the launch leads a session of its own


def join_outputs(parts: list[Path], path: Path) -> None:
    """Make one bag of the outputs of several replays; a single one is moved.

    Raises:
        RecordingError: A part cannot be read.
    """
    shutil.rmtree(path, ignore_errors=True)
    if len(parts) == 1:
        parts[0].rename(path)
        return
    from rosbags.highlevel import AnyReader
    from rosbags.rosbag2 import StoragePlugin, Writer

    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with (
            AnyReader(parts) as reader,
            Writer(partial / path.name, version=8, storage_plugin=StoragePlugin.MCAP) as writer,
        ):
            written: dict[str, Any] = {}
            for connection, time_ns, raw in reader.messages():
                if connection.topic not in written:
                    written[connection.topic] = writer.add_connection(
                        connection.topic, connection.msgtype, typestore=reader.typestore
                    )
                writer.write(written[connection.topic], time_ns, raw)
    except Exception as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise RecordingError(f"the outputs {parts} cannot be joined: {error}.") from error
    (partial / path.name).rename(path)
    partial.rmdir()
