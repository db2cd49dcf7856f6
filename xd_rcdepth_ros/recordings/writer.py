# SPDX-License-Identifier: Apache-2.0
"""Writes a drive bag (rosbag2, mcap or sqlite3) without ROS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.geometry import PinholeCamera, RadarPoints, RigidTransform
from xd_rcdepth_ros.recordings import schema
from xd_rcdepth_ros.recordings.bag_file import BagFile
from xd_rcdepth_ros.recordings.pointcloud import fields_of, radar_cloud


class DriveWriter(BagFile):
    """Context manager that writes one drive bag.

    The bag is written under a hidden temporary name beside its place and appears under its own name
    only when the block ends without an exception; else nothing is left. The log time of each
    message is its stamp.

    Args:
        path: Folder that the bag becomes; must not exist.
        storage: ``mcap`` or ``sqlite3``.
        info: What to remember about the bag (source, split, tags, ...), JSON-like; see
            ``recordings.bags.read_info``.

    Raises:
        RecordingError: The folder exists, cannot be written, or the disk is full.
    """

    def __init__(
        self,
        path: str | Path,
        storage: str = "mcap",
        info: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(path, storage, info)
        self._static: dict[tuple[str, str], RigidTransform] = {}
        self._static_written = 0
        self._types = schema.typestore().types

    def image(self, name: str, stamp_ns: int, data: bytes, image_format: str = "jpeg") -> None:
        """Write a compressed image as it is.

        Args:
            name: Camera, such as ``front``.
            stamp_ns: Stamp, nanoseconds.
            data: The bytes of a JPEG or PNG file.
            image_format: ``jpeg`` or ``png``.
        """
        message = self._make(
            schema.COMPRESSED_IMAGE,
            header=self._header(stamp_ns, schema.camera_frame(name)),
            format=image_format,
            data=np.frombuffer(data, np.uint8),
        )
        self._write(schema.image_topic(name), message, stamp_ns)

    def camera_info(self, name: str, stamp_ns: int, camera: PinholeCamera) -> None:
        """Write the intrinsics of a camera's image of that stamp."""
        message = self._make(
            schema.CAMERA_INFO,
            header=self._header(stamp_ns, schema.camera_frame(name)),
            height=camera.height,
            width=camera.width,
            distortion_model=camera.distortion_model,
            d=np.array(camera.distortion or (0.0,) * 5, np.float64),
            k=camera.k.reshape(-1),
            r=np.eye(3).reshape(-1),
            p=camera.p.reshape(-1),
            binning_x=0,
            binning_y=0,
            roi=self._make(
                "sensor_msgs/msg/RegionOfInterest",
                x_offset=0,
                y_offset=0,
                height=0,
                width=0,
                do_rectify=False,
            ),
        )
        self._write(schema.camera_info_topic(name), message, stamp_ns)

    def depth(self, name: str, stamp_ns: int, depth_m: NDArray[np.floating]) -> None:
        """Write a reference depth map.

        Args:
            name: Camera whose image it belongs to.
            stamp_ns: Stamp of that image, nanoseconds.
            depth_m: (H, W), metres along the optical axis, NaN where unknown, +Inf where there is
                sky.
        """
        depth = np.ascontiguousarray(depth_m, dtype="<f4")
        self._map(schema.depth_topic(name), name, stamp_ns, depth, "32FC1")

    def sky(self, name: str, stamp_ns: int, sky: NDArray[np.uint8]) -> None:
        """Write a mask of the sky.

        Args:
            name: Camera whose image it belongs to.
            stamp_ns: Stamp of that image, nanoseconds.
            sky: (H, W) uint8, 1 sky or nothing within range, 0 something, 255 unknown.
        """
        self._map(schema.sky_topic(name), name, stamp_ns, np.ascontiguousarray(sky), "mono8")

    def radar(self, name: str, stamp_ns: int, points: RadarPoints | NDArray[np.void]) -> None:
        """Write a radar sweep.

        Args:
            name: Radar, such as ``front``.
            stamp_ns: Stamp, nanoseconds.
            points: Returns in the radar's frame (x forward, y left, z up); a structured array keeps
                all its fields under their names.
        """
        cloud = radar_cloud(points) if isinstance(points, RadarPoints) else points
        self._cloud(schema.radar_topic(name), schema.radar_frame(name), stamp_ns, cloud)

    def lidar(
        self,
        name: str,
        stamp_ns: int,
        xyz_m: ArrayLike,
        intensity: ArrayLike | None = None,
        ring: ArrayLike | None = None,
    ) -> None:
        """Write a lidar sweep.

        Args:
            name: Lidar, such as ``top``.
            stamp_ns: Stamp, nanoseconds.
            xyz_m: (N, 3), metres, lidar frame.
            intensity: (N,), in the sensor's unit, if known.
            ring: (N,), number of the beam, if known.
        """
        xyz = np.asarray(xyz_m, np.float32).reshape(-1, 3)
        columns = [("x", "<f4", xyz[:, 0]), ("y", "<f4", xyz[:, 1]), ("z", "<f4", xyz[:, 2])]
        if intensity is not None:
            columns.append(("intensity", "<f4", np.asarray(intensity)))
        if ring is not None:
            columns.append(("ring", "<u2", np.asarray(ring)))
        step = 4 * len(columns)  # each field on its own 4 bytes keeps the floats aligned
        cloud = np.zeros(
            len(xyz),
            np.dtype(
                {
                    "names": [name for name, _, _ in columns],
                    "formats": [code for _, code, _ in columns],
                    "offsets": [4 * i for i in range(len(columns))],
                    "itemsize": step,
                }
            ),
        )
        for field, _, values in columns:
            cloud[field] = values
        self._cloud(schema.lidar_topic(name), schema.lidar_frame(name), stamp_ns, cloud)

    def static_transform(self, parent: str, child: str, parent_from_child: RigidTransform) -> None:
        """Add a fixed transform. All of them leave together in one latched message."""
        self._static[parent, child] = parent_from_child

    def transform(
        self, parent: str, child: str, stamp_ns: int, parent_from_child: RigidTransform
    ) -> None:
        """Write a transform that holds at one stamp."""
        self.transforms(stamp_ns, [(parent, child, parent_from_child)])

    def transforms(
        self, stamp_ns: int, transforms: Sequence[tuple[str, str, RigidTransform]]
    ) -> None:
        """Write several (parent, child, parent_from_child) that hold at one stamp."""
        stamped = [self._stamped(stamp_ns, *transform) for transform in transforms]
        self._write(schema.TF_TOPIC, self._make(schema.TF_MESSAGE, transforms=stamped), stamp_ns)

    def odometry(
        self,
        stamp_ns: int,
        odom_from_base: RigidTransform,
        linear_velocity_mps: ArrayLike = (0.0, 0.0, 0.0),
        angular_velocity_radps: ArrayLike = (0.0, 0.0, 0.0),
    ) -> None:
        """Write the ego pose in ``odom`` and the velocities (3,) in ``base_link``."""
        t, q = odom_from_base.translation_m, odom_from_base.quaternion_xyzw
        linear = np.asarray(linear_velocity_mps, np.float64)
        angular = np.asarray(angular_velocity_radps, np.float64)
        pose = self._make(
            "geometry_msgs/msg/Pose",
            position=self._make("geometry_msgs/msg/Point", **_xyz(t)),
            orientation=self._make("geometry_msgs/msg/Quaternion", **_xyz(q), w=float(q[3])),
        )
        twist = self._make(
            "geometry_msgs/msg/Twist",
            linear=self._make("geometry_msgs/msg/Vector3", **_xyz(linear)),
            angular=self._make("geometry_msgs/msg/Vector3", **_xyz(angular)),
        )
        unknown = np.zeros(36)
        message = self._make(
            schema.ODOMETRY,
            header=self._header(stamp_ns, schema.ODOM_FRAME),
            child_frame_id=schema.BASE_FRAME,
            pose=self._make("geometry_msgs/msg/PoseWithCovariance", pose=pose, covariance=unknown),
            twist=self._make(
                "geometry_msgs/msg/TwistWithCovariance", twist=twist, covariance=unknown
            ),
        )
        self._write(schema.ODOMETRY_TOPIC, message, stamp_ns)

    def keyframe(self, frame_id: str, stamp_ns: int) -> None:
        """Mark the message of that sensor frame and stamp as a keyframe."""
        self._write(schema.KEYFRAMES_TOPIC, self._header(stamp_ns, frame_id), stamp_ns)

    def _map(
        self, topic: str, name: str, stamp_ns: int, pixels: NDArray[Any], encoding: str
    ) -> None:
        message = self._make(
            schema.IMAGE,
            header=self._header(stamp_ns, schema.camera_frame(name)),
            height=pixels.shape[0],
            width=pixels.shape[1],
            encoding=encoding,
            is_bigendian=0,
            step=pixels.itemsize * pixels.shape[1],
            data=pixels.reshape(-1).view(np.uint8),
        )
        self._write(topic, message, stamp_ns)

    def _cloud(self, topic: str, frame_id: str, stamp_ns: int, cloud: NDArray[np.void]) -> None:
        fields = [
            self._make("sensor_msgs/msg/PointField", **asdict(field))
            for field in fields_of(cloud.dtype)
        ]
        little = cloud.astype(cloud.dtype.newbyteorder("<"), copy=False)
        step = little.dtype.itemsize
        data = np.frombuffer(np.ascontiguousarray(little).tobytes(), np.uint8)
        dense = all(
            np.isfinite(cloud[axis]).all() for axis in "xyz" if axis in (cloud.dtype.names or ())
        )
        message = self._make(
            schema.POINT_CLOUD,
            header=self._header(stamp_ns, frame_id),
            height=1,
            width=len(cloud),
            fields=fields,
            is_bigendian=False,
            point_step=step,
            row_step=step * len(cloud),
            data=data,
            is_dense=bool(dense),
        )
        self._write(topic, message, stamp_ns)

    def _make(self, message_type: str, **values: Any) -> Any:
        return self._types[message_type](**values)

    def _header(self, stamp_ns: int, frame_id: str) -> Any:
        seconds, nanoseconds = divmod(int(stamp_ns), 1_000_000_000)
        if not 0 <= seconds < 2**31:
            raise RecordingError(
                f"stamp {stamp_ns} ns of '{frame_id}' cannot be written: ROS counts seconds from "
                "1970 to 2038. Is the source in another unit?"
            )
        time = self._make("builtin_interfaces/msg/Time", sec=seconds, nanosec=nanoseconds)
        return self._make(schema.HEADER, stamp=time, frame_id=frame_id)

    def _stamped(self, stamp_ns: int, parent: str, child: str, transform: RigidTransform) -> Any:
        t, q = transform.translation_m, transform.quaternion_xyzw
        return self._make(
            "geometry_msgs/msg/TransformStamped",
            header=self._header(stamp_ns, parent),
            child_frame_id=child,
            transform=self._make(
                "geometry_msgs/msg/Transform",
                translation=self._make("geometry_msgs/msg/Vector3", **_xyz(t)),
                rotation=self._make("geometry_msgs/msg/Quaternion", **_xyz(q), w=float(q[3])),
            ),
        )

    def _write(self, topic: str, message: Any, stamp_ns: int) -> None:
        if len(self._static) != self._static_written:
            self._static_written = len(self._static)
            stamped = [self._stamped(stamp_ns, *pair, t) for pair, t in self._static.items()]
            latched = self._make(schema.TF_MESSAGE, transforms=stamped)
            self._write(schema.TF_STATIC_TOPIC, latched, stamp_ns)
        self.write(topic, message, stamp_ns)


def _xyz(values: NDArray[np.float64]) -> dict[str, float]:
    return {"x": float(values[0]), "y": float(values[1]), "z": float(values[2])}
