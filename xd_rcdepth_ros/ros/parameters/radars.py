# SPDX-License-Identifier: Apache-2.0
"""The parameters that depth_node has for each of its radars: ``radar.<radar>.*``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.recordings.pointcloud import RadarFieldMap
from xd_rcdepth_ros.ros.parameters.spec import ParameterSpec

RadarType = Literal["point_cloud2", "radar_scan", "radar_tracks"]

# Meaning of each field of a PointCloud2 that RadarFieldMap names.
RADAR_FIELDS: Mapping[str, str] = {
    "x": "Field of the forward coordinate, metres.",
    "y": "Field of the left coordinate, metres.",
    "z": "Field of the upward coordinate, metres; empty for 0.",
    "rcs": "Field of the radar cross section or strength, dB; empty for 0.",
    "vx": "Field of the forward velocity, m/s; empty for 0.",
    "vy": "Field of the left velocity, m/s; empty for 0.",
    "radial_speed": "Field of the range rate, m/s, positive when receding; used where vx and vy "
    "are empty. A minus before a name turns the sign (of a RadarScan too).",
    "vx_comp": "Field of the forward velocity without the sensor's own motion, m/s.",
    "vy_comp": "Field of the left velocity without the sensor's own motion, m/s.",
}


@dataclass(frozen=True)
class RadarInput:
    """How one radar is read.

    Attributes:
        type: Type of its messages.
        fields: Names of the fields of its clouds.
    """

    type: RadarType
    fields: RadarFieldMap


def radar_names(value: Iterable[str]) -> tuple[str, ...]:
    """Return the radars' names: empty texts left out, as an empty array has no type in ROS."""
    names = tuple(name for name in value if name)
    if len(set(names)) != len(names):
        raise ConfigurationError(f"parameter radars = {list(names)} names a radar twice.")
    return names


def radar_specs(radars: Sequence[str]) -> tuple[ParameterSpec, ...]:
    """Return the parameters of radars of these names."""
    names = asdict(RadarFieldMap())
    own = (
        ParameterSpec(
            "type",
            "point_cloud2",
            "Messages: sensor_msgs/PointCloud2, radar_msgs/RadarScan or radar_msgs/RadarTracks.",
            change="unconfigured",
            choices=get_args(RadarType),
        ),
        *(
            ParameterSpec(f"fields.{role}", names[role], text, change="unconfigured")
            for role, text in RADAR_FIELDS.items()
        ),
    )
    return tuple(
        replace(spec, name=f"radar.{radar}.{spec.name}") for radar in radars for spec in own
    )


def radar_inputs(radars: Sequence[str], values: Mapping[str, Any]) -> dict[str, RadarInput]:
    """Return how each radar is read.

    Args:
        radars: Their names.
        values: Values of parameters by ROS name; what is left out has its default.

    Raises:
        ConfigurationError: A value is not allowed.
    """
    inputs = {}
    for radar in radars:
        read = {
            spec.name.removeprefix(f"radar.{radar}."): spec.read(values)
            for spec in radar_specs([radar])
        }
        fields = RadarFieldMap(**{role: read[f"fields.{role}"] for role in RADAR_FIELDS})
        inputs[radar] = RadarInput(read["type"], fields)
    return inputs
