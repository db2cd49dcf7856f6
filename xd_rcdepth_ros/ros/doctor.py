# SPDX-License-Identifier: Apache-2.0
"""Looks at the running graph as a user of the node needs it: who publishes, with which QoS, and TF.

The answer to "no output": inputs of the running depth nodes (or topics named by hand) are listened
to for some seconds, and each gets one finding. Nothing is published and nothing is changed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible
from rclpy.time import Time
from tf2_ros import Buffer, TransformException, TransformListener

from xd_rcdepth_ros.errors import MessageError
from xd_rcdepth_ros.inference.installation import Finding
from xd_rcdepth_ros.ros.conversions import frame_name
from xd_rcdepth_ros.ros.inputs import sensor_qos
from xd_rcdepth_ros.ros.radars import message_type

IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
RADARS = {
    "sensor_msgs/msg/PointCloud2": "point_cloud2",
    "radar_msgs/msg/RadarScan": "radar_scan",
    "radar_msgs/msg/RadarTracks": "radar_tracks",
}
STATUS = "xd_rcdepth_ros/msg/DepthStatus"
DISCOVERY_S = 2.0


@dataclass
class Heard:
    """What came on one topic.

    Attributes:
        type_name: Type of the messages, ``package/msg/Name``.
        count: Messages.
        frame_id: Frame of the last one, if its type is decoded.
    """

    type_name: str
    count: int = 0
    frame_id: str = ""


@dataclass
class Wiring:
    """What is to be looked at.

    Attributes:
        topics: Type of the messages by the topic's full name.
        nodes: Full names of the depth nodes that listen to them; none if named by hand.
    """

    topics: dict[str, str] = field(default_factory=dict)
    nodes: list[str] = field(default_factory=list)


def examine_graph(named: Mapping[str, str], seconds: float) -> list[Finding]:
    """Return what the running graph is like.

    Args:
        named: Types of topics by full name, to look at instead of what the nodes listen to.
        seconds: For how long messages are counted.
    """
    context = Context()
    rclpy.init(context=context, args=[])
    node = Node(f"xd_rcdepth_doctor_{os.getpid()}", context=context, start_parameter_services=False)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        return _examine(node, executor, named, seconds)
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown(context=context)


def _examine(
    node: Node, executor: SingleThreadedExecutor, named: Mapping[str, str], seconds: float
) -> list[Finding]:
    _spin(executor, DISCOVERY_S)
    wiring = Wiring(dict(named)) if named else find_wiring(node)
    findings = [_nodes_finding(node, wiring, bool(named))]
    diagnostics: dict[str, DiagnosticStatus] = {}
    node.create_subscription(
        DiagnosticArray,
        "/diagnostics",
        lambda message: diagnostics.update({s.name: s for s in message.status}),
        10,
    )
    buffer = Buffer(node=node)
    listener = TransformListener(buffer, node, spin_thread=False)
    heard = {topic: _listen(node, topic, kind) for topic, kind in wiring.topics.items()}
    _spin(executor, seconds)
    for topic, what in heard.items():
        findings.append(_topic_finding(node, topic, what, wiring.nodes, seconds))
    findings += _transform_findings(buffer, heard)
    findings += [
        Finding(status.name, _level(status.level), status.message)
        for name, status in sorted(diagnostics.items())
        if name.rpartition(": ")[0] in {full.lstrip("/") for full in wiring.nodes}
    ]
    listener.unregister()
    return findings


def _spin(executor: SingleThreadedExecutor, seconds: float) -> None:
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        executor.spin_once(timeout_sec=left_s)


def find_wiring(node: Node) -> Wiring:
    """Return the depth nodes of the graph and the inputs that they listen to."""
    wiring = Wiring()
    for topic, kinds in node.get_topic_names_and_types():
        if STATUS in kinds:
            infos = node.get_publishers_info_by_topic(topic)
            wiring.nodes += [_full(info.node_name, info.node_namespace) for info in infos]
    wiring.nodes += [
        _full(name, namespace)
        for name, namespace in node.get_node_names_and_namespaces()
        if name == "depth_node"  # one that is not configured publishes no status
    ]
    wiring.nodes = sorted(set(wiring.nodes))
    for full in wiring.nodes:
        namespace, _, name = full.rpartition("/")
        listens = node.get_subscriber_names_and_types_by_node(name, namespace or "/")
        wiring.topics |= {
            topic: kind
            for topic, kinds in listens
            for kind in kinds
            if kind in (*IMAGES, CAMERA_INFO, *RADARS)
        }
    return wiring


def _full(name: str, namespace: str) -> str:
    return f"{namespace.rstrip('/')}/{name}"


def _nodes_finding(node: Node, wiring: Wiring, named: bool) -> Finding:
    if named:
        return Finding("depth nodes", "note", "not looked for: topics were named by hand")
    if wiring.topics:
        return Finding("depth nodes", "ok", f"{', '.join(wiring.nodes)} listening")
    if wiring.nodes:
        return Finding(
            "depth nodes",
            "problem",
            f"{', '.join(wiring.nodes)} there, but not active: see its log, or "
            f"ros2 lifecycle get {wiring.nodes[0]}",
        )
    candidates = {
        what: [t for t, kinds in node.get_topic_names_and_types() if set(kinds) & set(types)]
        for what, types in (("image", IMAGES), ("camera_info", (CAMERA_INFO,)), ("radar", RADARS))
    }
    offered = "; ".join(
        f"{what}: {', '.join(names) or 'none'}" for what, names in candidates.items()
    )
    return Finding(
        "depth nodes",
        "warning",
        f"none runs in domain {os.environ.get('ROS_DOMAIN_ID', '0')}: start depth.launch.py, and "
        f"this command with the same ROS_DOMAIN_ID. Topics that fit: {offered}",
    )


def _listen(node: Node, topic: str, kind: str) -> Heard:
    heard = Heard(kind)

    def take(message: Any) -> None:
        heard.count += 1
        if not isinstance(message, bytes):
            heard.frame_id = frame_name(message.header.frame_id)

    try:
        message_class, raw = _message_class(kind)
    except (ImportError, MessageError):  # it is counted as silent, and its finding says so
        return heard
    node.create_subscription(message_class, topic, take, sensor_qos(10), raw=raw)
    return heard


def _message_class(kind: str) -> tuple[type[Any], bool]:
    """Return the class of a type of messages, and whether its messages need no decoding."""
    if kind in RADARS:
        return message_type(RADARS[kind]), False
    from sensor_msgs import msg

    return getattr(msg, kind.rpartition("/")[2]), kind in IMAGES


def _topic_finding(
    node: Node, topic: str, heard: Heard, listeners: list[str], seconds: float
) -> Finding:
    publishers = node.get_publishers_info_by_topic(topic)
    if not publishers:
        text = "nobody publishes it: is the driver running, the name right, the domain the same?"
        return Finding(topic, "problem", text)
    kinds = sorted({info.topic_type for info in publishers})
    if heard.type_name not in kinds:
        text = f"published as {', '.join(kinds)}; expected {heard.type_name}"
        return Finding(topic, "problem", text)
    wanted = [
        info.qos_profile
        for info in node.get_subscriptions_info_by_topic(topic)
        if _full(info.node_name, info.node_namespace) in listeners
    ] or [sensor_qos(10)]
    for info in publishers:
        reasons = [reason for qos in wanted if (reason := _misfit(info.qos_profile, qos))]
        if reasons:
            return Finding(
                topic,
                "problem",
                f"QoS of {_full(info.node_name, info.node_namespace)} does not fit: {reasons[0]} "
                f"Change it there, or set qos_overrides.{topic}.subscription.* of the depth node",
            )
    if not heard.count:
        text = (
            f"no message came in {seconds:g} s, though {len(publishers)} publish and QoS fits: the "
            "source has stopped, or messages above 0.5 MB are lost (see Fast DDS above)"
        )
        return Finding(topic, "problem", text)
    rate_hz = heard.count / seconds
    frame = f", frame {heard.frame_id}" if heard.frame_id else ""
    return Finding(topic, "ok", f"{rate_hz:.1f} Hz of {heard.type_name}{frame}; QoS fits")


def _misfit(publisher: QoSProfile, subscription: QoSProfile) -> str:
    compatibility, reason = qos_check_compatible(publisher, subscription)
    return str(reason) if compatibility == QoSCompatibility.ERROR else ""


def _transform_findings(buffer: Buffer, heard: Mapping[str, Heard]) -> list[Finding]:
    """Return whether each radar can be moved into each camera's frame."""
    cameras = {h.frame_id for h in heard.values() if h.type_name == CAMERA_INFO} - {""}
    radars = {h.frame_id for h in heard.values() if h.type_name in RADARS} - {""}
    findings = []
    for camera, radar in ((c, r) for c in sorted(cameras) for r in sorted(radars)):
        subject = f"tf {camera} <- {radar}"
        try:
            moved = buffer.lookup_transform(camera, radar, Time()).transform.translation
        except TransformException as error:
            text = f"{error}: publish the radar's mounting on /tf_static"
            findings.append(Finding(subject, "problem", text))
            continue
        text = f"the radar is at x {moved.x:.2f}, y {moved.y:.2f}, z {moved.z:.2f} m of the camera"
        findings.append(Finding(subject, "ok", text))
    return findings


def _level(level: bytes) -> Any:
    levels = {DiagnosticStatus.OK: "ok", DiagnosticStatus.WARN: "warning"}
    return levels.get(level, "problem")
