# SPDX-License-Identifier: Apache-2.0
"""The depth node's parameters after all checks, in one frozen dataclass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.ros.parameters.table import PARAMETERS, RADAR_FIELDS, specs

_ROS_NAMES = {spec.name.replace(".", "_"): spec.name for spec in PARAMETERS}


@dataclass(frozen=True)
class RadarInput:
    """How one radar is read.

    Attributes:
        type: point_cloud2, radar_scan or radar_tracks.
        fields: Name of the cloud's field for each role of ``RADAR_FIELDS``; empty if there is none.
    """

    type: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class NodeConfig:
    """All parameters, checked; a dot in a parameter's name is an underscore here."""

    autostart: bool
    model_file: str
    model_sha256: str
    device: str
    backend: str
    precision: str
    threads: int
    network_size: tuple[int, int]
    output_size: str
    image_transport: str
    rectify: bool
    radars: tuple[str, ...]
    sweeps: int
    sync_policy: str
    sync_window: float
    sync_max_wait: float
    sync_on_missing_radar: str
    sync_hold_time: float
    sync_time_jump: float
    fixed_frame: str
    tf_timeout: float
    shift_moving_returns: bool
    depth_encoding: str
    depth_min: float
    depth_max: float
    preview_rate: float
    preview_max_depth: float
    points_stride: int
    saliency_rate: float
    saliency_share: float
    saliency_method: str
    saliency_target: str
    saliency_region: tuple[float, float, float, float]
    attribution_method: str
    diagnostics_period: float
    watchdog_timeout: float
    radar_inputs: Mapping[str, RadarInput]

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> NodeConfig:
        """Check all values, one by one and together.

        Args:
            values: Value of every parameter of ``specs(radars)``, by its full name.

        Raises:
            ConfigurationError: A value is not allowed; the text names it and what is.
        """
        radars = radar_names(values["radars"])
        for spec in specs(radars):
            spec.check(values[spec.name])
        size = tuple(int(n) for n in values["network_size"])
        if size != (0, 0) and (len(size) != 2 or any(n < 32 or n % 32 for n in size)):
            raise ConfigurationError(
                f"parameter network_size = {list(size)} is not allowed; expected "
                "[height, width] in pixels, multiples of 32, or [0, 0] to fit the image."
            )
        region = tuple(float(share) for share in values["saliency.region"])
        if len(region) != 4 or region[0] >= region[2] or region[1] >= region[3]:
            raise ConfigurationError(
                f"parameter saliency.region = {list(region)} is not allowed; expected [left, top, "
                "right, bottom] with left < right and top < bottom."
            )
        if values["depth.min"] >= values["depth.max"]:
            raise ConfigurationError(
                f"depth.min = {values['depth.min']:g} m must be less than depth.max = "
                f"{values['depth.max']:g} m; set both together to move the whole range."
            )
        if values["sync.hold_time"] < values["sync.window"]:
            raise ConfigurationError(
                f"sync.hold_time = {values['sync.hold_time']:g} s must not be less than "
                f"sync.window = {values['sync.window']:g} s."
            )
        for name, cameras_own in (
            ("sweeps", values["sweeps"] > 1),
            ("sync.on_missing_radar", values["sync.on_missing_radar"] == "hold"),
        ):
            if values["sync.policy"] == "approximate" and cameras_own:
                raise ConfigurationError(
                    f"{name} = {values[name]} is not allowed with sync.policy = approximate, which "
                    "knows no history of sweeps; use sync.policy: camera."
                )
        inputs = {
            name: RadarInput(
                values[f"radar.{name}.type"],
                {role: values[f"radar.{name}.fields.{role}"] for role in RADAR_FIELDS},
            )
            for name in radars
        }
        simple = {
            field.name: values[_ROS_NAMES[field.name]]
            for field in fields(cls)
            if field.name not in ("radars", "network_size", "saliency_region", "radar_inputs")
        }
        return cls(
            **simple,
            radars=radars,
            network_size=(size[0], size[1]),
            saliency_region=(region[0], region[1], region[2], region[3]),
            radar_inputs=inputs,
        )


def radar_names(value: Iterable[str]) -> tuple[str, ...]:
    """Return the radars' names: empty texts left out, as an empty array has no type in ROS."""
    names = tuple(name for name in value if name)
    if len(set(names)) != len(names):
        raise ConfigurationError(f"parameter radars = {list(names)} names a radar twice.")
    return names
