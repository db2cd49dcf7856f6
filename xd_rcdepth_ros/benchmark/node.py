# SPDX-License-Identifier: Apache-2.0
"""The whole depth node over DDS: latency from publishing an image to receiving its depth, rate."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xd_rcdepth_ros.demo.session import session_environment
from xd_rcdepth_ros.errors import XDRCDepthError

DROPPED_SHARE = 0.05
"""A rate is sustained if at most this share of its images has no depth."""


class NodeBenchmarkError(XDRCDepthError):
    """The depth node could not be measured."""


def measure_node(
    rates_hz: Sequence[float],
    seconds: float,
    size: tuple[int, int],
    model: Path,
    parameters: Mapping[str, Any] | None = None,
    idle_subscribers: int = 0,
    limit_s: float = 300.0,
) -> dict[str, Any]:
    """Play images and radar to a depth node, one rate after another.

    The node and what plays are processes of their own on this machine. Images are JPEGs of
    1600x900, beside them three radars of 150 returns at 13 Hz, all mounted on the camera.

    Args:
        rates_hz: Images a second, rising.
        seconds: How long each rate is played.
        size: Height and width of the network's grid.
        model: Model file.
        parameters: More parameters of the depth node.
        idle_subscribers: This many more processes' worth of subscribers during the last rate.
        limit_s: Longest time of all.

    Returns:
        As :func:`summarise`.

    Raises:
        NodeBenchmarkError: ROS is not there, or the node gave no depth.
    """
    if importlib.util.find_spec("rclpy") is None:
        raise NodeBenchmarkError(
            "rclpy is not installed. Source ROS 2, or make the environment with 'make setup'."
        )
    environment = session_environment(os.environ)
    given = {
        "model_file": model.resolve(),
        "network_size": list(size),
        "image_transport": "compressed",
        "radars": "[front, left, right]",
        # The mounting alone: how late odometry comes is no property of the node.
        "fixed_frame": "''",
        **(parameters or {}),
    }
    end_s = time.monotonic() + limit_s
    with tempfile.TemporaryDirectory(prefix="xd_rcdepth_benchmark.") as folder:
        log, out = Path(folder) / "node.log", Path(folder) / "traffic.json"
        traffic_log = Path(folder) / "traffic.log"
        with log.open("w") as node_output, traffic_log.open("w") as traffic_output:
            node = _start("depth_node", given, environment, node_output)
            traffic = None
            try:
                wanted = {
                    "output": out,
                    "rates": [float(rate) for rate in rates_hz],
                    "seconds": float(seconds),
                    "idle_subscribers": idle_subscribers,
                    "node_pid": node.pid,
                    "patience": limit_s,
                }
                traffic = _start("benchmark_traffic", wanted, environment, traffic_output)
                while traffic.poll() is None and time.monotonic() < end_s:
                    if " failed: " in log.read_text(errors="replace"):  # a transition of the node
                        break
                    time.sleep(0.1)
                # Before the processes end: what an interrupt makes them say is not the cause.
                said = _last_lines(log) + _last_lines(traffic_log)
            finally:
                for process in (traffic, node):
                    _end(process)
        if not out.is_file():
            waited_s = limit_s - (end_s - time.monotonic())
            raise NodeBenchmarkError(
                f"no figures of the depth node after {waited_s:.0f} s of at most {limit_s:.0f} s. "
                "It and what plays to it said:\n" + "\n".join(said)
            )
        return summarise(json.loads(out.read_text())["steps"])


def _last_lines(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines()[-8:]


def _start(
    name: str, parameters: Mapping[str, Any], environment: Mapping[str, str], output: Any
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"xd_rcdepth_ros.nodes.{name}", "--ros-args"]
    for key, value in parameters.items():
        command += ["-p", f"{key}:={value}"]
    return subprocess.Popen(command, env=dict(environment), stdout=output, stderr=subprocess.STDOUT)


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is None or process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def summarise(steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures of the node.

    Args:
        steps: One for each rate, as ``nodes/benchmark_traffic.py`` writes them.

    Returns:
        ``steps``: rates, images sent and answered, latency, CPU time, memory. The figures of the
        highest rate that was sustained, or of the lowest if none was: ``p50_ms``, ``p95_ms``
        (publish to receive), ``inference_p50_ms``, and a report with the keys of ros2_benchmark.
        ``sustained_fps``: depth images a second at that rate, 0 if none was sustained.
    """
    # A depth image that comes late counts for the rate at which its image was sent.
    received = [pair for step in steps for pair in step["received"]]
    steps = [{**step, "received": received} for step in steps]
    rows = [_row(step) for step in steps]
    held = [n for n, row in enumerate(rows) if row["dropped_share"] <= DROPPED_SHARE]
    at = max(held, key=lambda n: rows[n]["rate_hz"]) if held else 0
    best = rows[at]
    return {
        "p50_ms": best["latency_p50_ms"],
        "p95_ms": best["latency_p95_ms"],
        "inference_p50_ms": best["network_p50_ms"],
        "wait_p50_ms": best["wait_p50_ms"],
        "sustained_fps": best["answered_hz"] if held else 0.0,
        "rss_mb": max(row["rss_mb"] for row in rows),
        "ros2_benchmark": _report(steps[at]),
        "steps": rows,
    }


def _pairs(step: Mapping[str, Any]) -> tuple[list[float], list[int]]:
    """Return the latencies, ms, and the times of arrival, ns, of what was answered, in order."""
    sent = dict(map(tuple, step["sent"]))
    arrived = [(stamp, ns) for stamp, ns in step["received"] if stamp in sent]
    return [(ns - sent[stamp]) / 1e6 for stamp, ns in arrived], [ns for _, ns in arrived]


def _row(step: Mapping[str, Any]) -> dict[str, Any]:
    latencies, times_ns = _pairs(step)
    sent, answered = len(step["sent"]), len(latencies)

    def share(values: Sequence[float], percent: float) -> float | None:
        return float(np.percentile(values, percent)) if len(values) else None

    return {
        "rate_hz": step["rate_hz"],
        "sent": sent,
        "answered": answered,
        "dropped_share": 1 - answered / sent if sent else 1.0,
        "sent_hz": _rate_hz([ns for _, ns in step["sent"]]),
        "answered_hz": _rate_hz(times_ns),
        "latency_p50_ms": share(latencies, 50),
        "latency_p95_ms": share(latencies, 95),
        "network_p50_ms": share(step["network_ms"], 50),
        "wait_p50_ms": share(step["wait_ms"], 50),
        "cpu_ms_a_frame": 1000 * step["cpu_s"] / answered if answered else None,
        "rss_mb": step["rss_mb"],
    }


def _rate_hz(times_ns: Sequence[int]) -> float:
    """Return how many come a second; 0 where there are too few to say."""
    span_ns = times_ns[-1] - times_ns[0] if len(times_ns) > 1 else 0
    return 1e9 * (len(times_ns) - 1) / span_ns if span_ns > 0 else 0.0


def _report(step: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the basic metrics of ros2_benchmark, under its names; ms and images a second."""
    latencies, times_ns = _pairs(step)
    # Jitter is how much one gap between arrivals differs from the one before.
    jitter = np.abs(np.diff(np.diff(times_ns))) / 1e6

    def figure(of: Any, values: Any) -> float | None:
        return float(of(values)) if len(values) else None

    return {
        "MEAN_PLAYBACK_FRAME_RATE": _rate_hz([ns for _, ns in step["sent"]]),
        "MEAN_FRAME_RATE": _rate_hz(times_ns),
        "NUM_FRAMES_SENT": len(step["sent"]),
        "NUM_MISSED_FRAMES": len(step["sent"]) - len(latencies),
        "MAX_LATENCY": figure(np.max, latencies),
        "MIN_LATENCY": figure(np.min, latencies),
        "MEAN_LATENCY": figure(np.mean, latencies),
        "MAX_JITTER": figure(np.max, jitter),
        "MIN_JITTER": figure(np.min, jitter),
        "MEAN_JITTER": figure(np.mean, jitter),
        "STD_DEV_JITTER": figure(np.std, jitter),
    }
