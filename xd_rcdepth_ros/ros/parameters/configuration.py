# SPDX-License-Identifier: Apache-2.0
"""The parameters of depth_node after all checks, those of its radars included."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.ros.parameters.radars import (
    RadarInput,
    radar_inputs,
    radar_names,
    radar_specs,
)
from xd_rcdepth_ros.ros.parameters.spec import ParameterSpec, specs_by_field
from xd_rcdepth_ros.ros.parameters.table import NodeParameters


@dataclass(frozen=True)
class NodeConfig(NodeParameters):
    """All parameters; one that exists satisfies every check.

    Attributes:
        radar_inputs: How each radar is read, by its name.
    """

    radar_inputs: Mapping[str, RadarInput] = field(default_factory=dict)

    @classmethod
    def specs(cls, given: Mapping[str, Any] | None = None) -> tuple[ParameterSpec, ...]:
        """Return every parameter of a node with the radars that ``given`` names."""
        radars = radar_names(specs_by_field(cls)["radars"].read(given or {}))
        return (*super().specs(), *radar_specs(radars))

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> NodeConfig:
        """Check all values, one by one and together.

        Args:
            values: Values by ROS name; what is left out has its default.

        Raises:
            ConfigurationError: A value is not allowed; the text names it and what is.
        """
        checked = cls.read_fields(values)
        checked["radars"] = radar_names(checked["radars"])
        return cls(**checked, radar_inputs=radar_inputs(checked["radars"], values))

    def explain_unknown(self, name: str, known: Iterable[str]) -> str:
        """Return a text about a parameter that was given but is not known."""
        radar = re.match(r"radar\.(\w+)\.", name)
        if radar and radar[1] not in self.radars:
            return (
                f"parameter {name} has no effect: radars = {list(self.radars)} does not name "
                f"{radar[1]}."
            )
        return super().explain_unknown(name, known)

    def __post_init__(self) -> None:
        """Check what the values must satisfy together."""
        size, region = self.network_size, self.saliency_region
        if size != (0, 0) and (len(size) != 2 or any(n < 32 or n % 32 for n in size)):
            raise ConfigurationError(
                f"parameter network_size = {list(size)} is not allowed; expected "
                "[height, width] in pixels, multiples of 32, or [0, 0] to fit the image."
            )
        if len(region) != 4 or region[0] >= region[2] or region[1] >= region[3]:
            raise ConfigurationError(
                f"parameter saliency.region = {list(region)} is not allowed; expected [left, top, "
                "right, bottom] with left < right and top < bottom."
            )
        if self.depth_min >= self.depth_max:
            raise ConfigurationError(
                f"depth.min = {self.depth_min:g} m must be less than depth.max = "
                f"{self.depth_max:g} m; set both together to move the whole range."
            )
        if self.points_min_height >= self.points_max_height:
            raise ConfigurationError(
                f"points.min_height = {self.points_min_height:g} m must be less than "
                f"points.max_height = {self.points_max_height:g} m; set both together."
            )
        if self.sync_hold_time < self.sync_window:
            raise ConfigurationError(
                f"sync.hold_time = {self.sync_hold_time:g} s must not be less than "
                f"sync.window = {self.sync_window:g} s."
            )
        for name, value, needs_history in (
            ("sweeps", self.sweeps, self.sweeps > 1),
            (
                "sync.on_missing_radar",
                self.sync_on_missing_radar,
                self.sync_on_missing_radar == "hold",
            ),
        ):
            if self.sync_policy == "approximate" and needs_history:
                raise ConfigurationError(
                    f"{name} = {value} is not allowed with sync.policy = approximate, which "
                    "knows no history of sweeps; use sync.policy: camera."
                )
