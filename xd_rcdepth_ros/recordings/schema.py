# SPDX-License-Identifier: Apache-2.0
"""What a drive bag looks like: its topics, frames, message types and QoS.

Frames: ``map`` -> ``odom`` -> ``base_link`` -> sensors; camera frames are optical (REP-103 and
REP-105).

====================================  ===========================  ===============================
topic                                 type                         one message for
====================================  ===========================  ===============================
``/camera/<name>/image/compressed``   sensor_msgs/CompressedImage  an image
``/camera/<name>/camera_info``        sensor_msgs/CameraInfo       an image, same stamp
``/camera/<name>/depth``              sensor_msgs/Image            an image's depth (32FC1, m)
``/camera/<name>/sky``                sensor_msgs/Image            an image's sky mask (mono8)
``/radar/<name>``                     sensor_msgs/PointCloud2      a radar sweep
``/lidar/<name>``                     sensor_msgs/PointCloud2      a lidar sweep
``/keyframes``                        std_msgs/Header              the stamp and frame of a keyframe
``/odom``                             nav_msgs/Odometry            an ego pose
``/tf``                               tf2_msgs/TFMessage           an ego pose
``/tf_static``                        tf2_msgs/TFMessage           all fixed transforms, latched
====================================  ===========================  ===============================

The log time of each message is its header stamp.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

MAP_FRAME = "map"
ODOM_FRAME = "odom"
BASE_FRAME = "base_link"

TF_TOPIC = "/tf"
TF_STATIC_TOPIC = "/tf_static"
ODOMETRY_TOPIC = "/odom"
KEYFRAMES_TOPIC = "/keyframes"

COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
IMAGE = "sensor_msgs/msg/Image"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
POINT_CLOUD = "sensor_msgs/msg/PointCloud2"
TF_MESSAGE = "tf2_msgs/msg/TFMessage"
ODOMETRY = "nav_msgs/msg/Odometry"
HEADER = "std_msgs/msg/Header"

# Key of the JSON text about a recording in the custom data of a bag's metadata.yaml.
INFO_KEY = "xd_rcdepth_ros"

_FOREVER = QosTime(9223372036, 854775807)


def _reliable(depth: int, durability: QosDurability = QosDurability.VOLATILE) -> Qos:
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=depth,
        reliability=QosReliability.RELIABLE,
        durability=durability,
        deadline=_FOREVER,
        lifespan=_FOREVER,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=_FOREVER,
        avoid_ros_namespace_conventions=False,
    )


# A reliable publisher serves reliable and best-effort subscribers alike, so a replayed bag reaches
# both. /tf_static is latched: who subscribes late still gets it.
SENSOR_QOS = _reliable(10)
TF_QOS = _reliable(100)
LATCHED_QOS = _reliable(1, QosDurability.TRANSIENT_LOCAL)


@lru_cache(maxsize=1)
def typestore() -> Typestore:
    """Return the message definitions that bags are written with."""
    return get_typestore(Stores.ROS2_JAZZY)


def qos_of(topic: str) -> Qos:
    """Return the QoS a topic is recorded with."""
    return {TF_STATIC_TOPIC: LATCHED_QOS, TF_TOPIC: TF_QOS}.get(topic, SENSOR_QOS)


def camera_frame(name: str) -> str:
    """Return the optical frame of a camera, such as ``camera_front_optical``."""
    return f"camera_{name}_optical"


def radar_frame(name: str) -> str:
    """Return the frame of a radar, such as ``radar_front``."""
    return f"radar_{name}"


def lidar_frame(name: str) -> str:
    """Return the frame of a lidar, such as ``lidar_top``."""
    return f"lidar_{name}"


def image_topic(name: str) -> str:
    """Return the topic of a camera's compressed images."""
    return f"/camera/{name}/image/compressed"


def camera_info_topic(name: str) -> str:
    """Return the topic of a camera's intrinsics."""
    return f"/camera/{name}/camera_info"


def depth_topic(name: str) -> str:
    """Return the topic of a camera's exact or dense reference depth."""
    return f"/camera/{name}/depth"


def sky_topic(name: str) -> str:
    """Return the topic of a camera's sky masks: 1 sky, 0 something within range, 255 unknown."""
    return f"/camera/{name}/sky"


def radar_topic(name: str) -> str:
    """Return the topic of a radar's sweeps."""
    return f"/radar/{name}"


def lidar_topic(name: str) -> str:
    """Return the topic of a lidar's sweeps."""
    return f"/lidar/{name}"


@dataclass(frozen=True)
class TopicNames:
    """Where a reader finds what it needs; for bags that name their topics otherwise.

    Attributes:
        image: sensor_msgs/CompressedImage or sensor_msgs/Image.
        camera_info: sensor_msgs/CameraInfo.
        radars: Radar name -> topic (sensor_msgs/PointCloud2); None takes all ``/radar/<name>``.
        lidar: sensor_msgs/PointCloud2; None for none.
        depth: sensor_msgs/Image, 32FC1 (m) or 16UC1 (mm); None for none.
        sky: sensor_msgs/Image, mono8; None for none.
    """

    image: str
    camera_info: str
    radars: dict[str, str] | None = field(default=None)
    lidar: str | None = None
    depth: str | None = None
    sky: str | None = None

    @classmethod
    def of_drive(
        cls, camera: str = "front", radars: list[str] | None = None, lidar: str | None = "top"
    ) -> TopicNames:
        """Return the names of a drive bag's topics for one camera, some radars and a lidar."""
        return cls(
            image=image_topic(camera),
            camera_info=camera_info_topic(camera),
            radars=None if radars is None else {name: radar_topic(name) for name in radars},
            lidar=None if lidar is None else lidar_topic(lidar),
            depth=depth_topic(camera),
            sky=sky_topic(camera),
        )
