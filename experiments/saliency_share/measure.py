# SPDX-License-Identifier: Apache-2.0
"""What a saliency subscriber costs the depth: throughput with and without one, in turns.

    python experiments/saliency_share/measure.py [--rounds 12] [--seconds 6] [--share 0.2]

Starts the depth node in a process of its own and feeds it over DDS as fast as it takes images (one
in work, one in the slot). Each round measures the same node without a subscriber and with one of
each kind, in turns, so that other work on the machine hits all of them alike. Frames a second of
the node's processor time tell the same on a machine that is busy otherwise. Writes results.json and
results.png beside this script.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("ROS_DOMAIN_ID", str(60 + os.getpid() % 20))
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
PROFILE = Path(__file__).resolve().parents[2] / "config" / "fastdds_large_messages.xml"
os.environ.setdefault("FASTDDS_DEFAULT_PROFILES_FILE", str(PROFILE))

import numpy as np  # noqa: E402
import rclpy  # noqa: E402
from geometry_msgs.msg import TransformStamped  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField  # noqa: E402
from sensor_msgs_py import point_cloud2  # noqa: E402
from std_msgs.msg import Header  # noqa: E402
from tf2_msgs.msg import TFMessage  # noqa: E402
from xd_rcdepth_ros.msg import DepthStatus  # noqa: E402

from xd_rcdepth_ros.recordings.pointcloud import fields_of, radar_cloud  # noqa: E402
from xd_rcdepth_ros.ros.conversions import (  # noqa: E402
    array_to_image,
    info_from_camera,
    ns_to_stamp,
    rigid_to_transform,
)
from xd_rcdepth_ros.simulation import Drive, DriveSettings  # noqa: E402

LISTENERS = {
    "saliency": ("/depth_node/saliency/heatmap", Image),
    "attribution": ("/depth_node/radar/attribution", PointCloud2),
}
IN_FLIGHT = 2
STEP_NS = 50_000_000


class Feeder:
    """Sends simulated frames whenever the node has finished one."""

    def __init__(self, height: int, width: int) -> None:
        self.node = rclpy.create_node("feeder")
        settings = DriveSettings(seed=5, place="city", frames=6, height=height, width=width)
        drive = Drive(settings)
        self._frames = [drive.frame(index) for index in range(3)]
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._image = self.node.create_publisher(Image, "image", 10)
        self._info = self.node.create_publisher(CameraInfo, "camera_info", 10)
        self._radar = self.node.create_publisher(PointCloud2, "radar/front", 10)
        mounting = TransformStamped(child_frame_id="radar_front")
        mounting.header.frame_id = drive.camera.frame_id
        mounting.transform = rigid_to_transform(drive.rig.camera.inverse() @ drive.rig.radar)
        self._static = self.node.create_publisher(TFMessage, "/tf_static", latched)
        self._static.publish(TFMessage(transforms=[mounting]))
        self.node.create_subscription(DepthStatus, "/depth_node/status", self._on_status, 10)
        self._count, self._last_s = 0, time.monotonic()
        self.frames_out: list[float] = []
        self.heard_s: list[float] = []
        self._again = self.node.create_timer(1.0, self._prime)

    def _prime(self) -> None:
        if time.monotonic() - self._last_s > 1.5:  # nothing comes back: start, or lost on the way
            for _ in range(IN_FLIGHT):
                self._send()

    def _on_status(self, status: DepthStatus) -> None:
        self.frames_out.append(time.monotonic())
        self._last_s = self.frames_out[-1]
        self._send()

    def _send(self) -> None:
        self._count += 1
        frame = self._frames[self._count % len(self._frames)]
        stamp = ns_to_stamp(1_000_000_000_000 + self._count * STEP_NS)
        header = Header(stamp=stamp, frame_id=frame.camera.frame_id)
        array = radar_cloud(frame.radar[0].points)
        fields = [
            PointField(name=f.name, offset=f.offset, datatype=f.datatype, count=f.count)
            for f in fields_of(array.dtype)
        ]
        radar_header = Header(stamp=stamp, frame_id="radar_front")
        self._radar.publish(point_cloud2.create_cloud(radar_header, fields, array))
        self._info.publish(info_from_camera(frame.camera, header))
        self._image.publish(array_to_image(frame.image, "rgb8", header))

    def measure(self, pid: int, seconds: float, listener: str | None) -> dict[str, float]:
        """Return what the node does with that listener, or with none.

        With a listener the time runs from the arrival of one explanation to that of another: whole
        cycles of explaining and resting, however long they are on this machine.

        Returns:
            Seconds, frames, seconds of the node's processor time, and explanations.
        """
        if listener is None:
            time.sleep(1.5)  # the last explanation ends
            start_s, busy_s = time.monotonic(), processor_time_s(pid)
            time.sleep(seconds)
            explanations = 0
        else:
            topic, kind = LISTENERS[listener]
            subscription = self.node.create_subscription(kind, topic, self._hear, 5)
            self._wait_for_explanation()
            first = len(self.heard_s)
            start_s, busy_s = time.monotonic(), processor_time_s(pid)
            time.sleep(seconds)
            self._wait_for_explanation()
            explanations = len(self.heard_s) - first
            self.node.destroy_subscription(subscription)
        end_s, busy_s = time.monotonic(), processor_time_s(pid) - busy_s
        return {
            "seconds": end_s - start_s,
            "frames": sum(start_s <= t < end_s for t in self.frames_out),
            "processor_s": busy_s,
            "explanations": explanations,
        }

    def _wait_for_explanation(self) -> None:
        heard = len(self.heard_s)
        while len(self.heard_s) == heard:
            time.sleep(0.01)

    def _hear(self, _: object) -> None:
        self.heard_s.append(time.monotonic())


def processor_time_s(pid: int) -> float:
    """Return the processor time that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def throughput_ratio(
    with_it: list[dict[str, float]], without: list[dict[str, float]], per: str
) -> dict[str, float]:
    """Return the ratio of frames per ``seconds`` or ``processor_s``, with its 90 % interval.

    The interval is a bootstrap over rounds.
    """
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(with_it), (2000, len(with_it)))
    sums = [
        np.array([r["frames"] for r in rounds])[drawn].sum(1)
        / np.array([r[per] for r in rounds])[drawn].sum(1)
        for rounds in (with_it, without)
    ]
    whole = [sum(r["frames"] for r in x) / sum(r[per] for r in x) for x in (with_it, without)]
    low, high = np.percentile(sums[0] / sums[1], [5, 95])
    named = {"ratio": whole[0] / whole[1], "low": low, "high": high}
    return {key: round(float(value), 3) for key, value in named.items()}


def plot(results: dict[str, Any], file: Path) -> None:
    """Draw what is left of the throughput with each listener, with its interval."""
    figure = Figure(figsize=(6, 2.2))
    axes = figure.subplots()
    for shift, key in ((0.12, "throughput"), (-0.12, "throughput_per_processor_time")):
        found = [results[kind][key] for kind in LISTENERS]
        ratios = np.array([f["ratio"] for f in found])
        spans = [ratios - [f["low"] for f in found], [f["high"] for f in found] - ratios]
        axes.errorbar(ratios, np.arange(len(found)) + shift, xerr=spans, fmt="o", label=key)
    axes.axvline(1 - results["settings"]["share"], color="#888", ls=":", label="1 - share")
    axes.set_yticks(range(len(LISTENERS)), list(LISTENERS))
    axes.set_ylim(-0.6, len(LISTENERS) + 0.4)
    axes.set_xlabel("images a second with a subscriber, of those without (90 % interval)")
    axes.legend(fontsize=7, loc="upper left")
    figure.savefig(file, dpi=110, bbox_inches="tight")


def main() -> int:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement")
    parser.add_argument("--share", type=float, default=0.2, help="saliency.share")
    parser.add_argument("--rate", type=float, default=30.0, help="saliency.rate, Hz")
    parser.add_argument("--backend", default="auto")
    parser.add_argument(
        "--size", type=int, nargs=2, default=[352, 704], help="of the images, pixels"
    )
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    command = [sys.executable, "-m", "xd_rcdepth_ros.nodes.depth_node", "--ros-args"]
    for name in ("share", "rate"):
        command += ["-p", f"saliency.{name}:={getattr(options, name)}"]
    command += ["-p", f"backend:={options.backend}", "-p", "fixed_frame:=''"]
    node = subprocess.Popen(command)
    rclpy.init()
    feeder = Feeder(*options.size)
    executor = SingleThreadedExecutor()
    executor.add_node(feeder.node)
    spinning = threading.Thread(target=executor.spin, daemon=True)
    spinning.start()
    try:
        while not feeder.frames_out:
            if node.poll() is not None:
                return 1
            time.sleep(0.2)
        feeder.measure(node.pid, 2.0, None)
        rounds: dict[str, list[dict[str, float]]] = {kind: [] for kind in ("none", *LISTENERS)}
        kinds = list(rounds)
        for number in range(options.rounds):
            for place in range(len(kinds)):  # each kind comes first, second and last equally often
                kind = kinds[(number + place) % len(kinds)]
                listener = None if kind == "none" else kind
                one = feeder.measure(node.pid, options.seconds, listener)
                rounds[kind].append(one)
                print(kind, {key: round(value, 2) for key, value in one.items()}, flush=True)
    finally:
        node.terminate()
        node.wait(60)
        rclpy.shutdown()  # ends the spinning
        spinning.join(10)
    total = {kind: {key: sum(r[key] for r in x) for key in x[0]} for kind, x in rounds.items()}
    results: dict[str, Any] = {
        "settings": {key: value for key, value in vars(options).items() if key != "folder"},
        "depth_hz_without": round(total["none"]["frames"] / total["none"]["seconds"], 2),
    }
    for kind in LISTENERS:
        results[kind] = {
            "throughput": throughput_ratio(rounds[kind], rounds["none"], "seconds"),
            "throughput_per_processor_time": throughput_ratio(
                rounds[kind], rounds["none"], "processor_s"
            ),
            "explanations_hz": round(total[kind]["explanations"] / total[kind]["seconds"], 3),
        }
    print(json.dumps(results, indent=1))
    document = json.dumps({**results, "rounds": rounds}, indent=1)
    (options.folder / "results.json").write_text(document + "\n")
    plot(results, options.folder / "results.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
