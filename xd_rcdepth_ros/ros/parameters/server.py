# SPDX-License-Identifier: Apache-2.0
"""The parameter table as parameters of a node: declared with descriptors, checked, handed on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.ros.parameters.configuration import NodeConfig, radar_names
from xd_rcdepth_ros.ros.parameters.spec import ParameterSpec
from xd_rcdepth_ros.ros.parameters.table import specs


def descriptor(spec: ParameterSpec) -> ParameterDescriptor:
    """Return the ROS descriptor of a parameter."""
    is_array = isinstance(spec.default, tuple)  # ROS has ranges for single numbers only
    message = ParameterDescriptor(
        name=spec.name,
        description=spec.description,
        additional_constraints=spec.allowed if spec.choices or spec.pattern or is_array else "",
        read_only=spec.change == "start",
    )
    if spec.low is not None and spec.high is not None and not is_array:
        if isinstance(spec.default, float):
            message.floating_point_range = [
                FloatingPointRange(from_value=float(spec.low), to_value=float(spec.high))
            ]
        else:
            message.integer_range = [
                IntegerRange(from_value=int(spec.low), to_value=int(spec.high), step=1)
            ]
    return message


class ParameterServer:
    """Declares every parameter of the table on a node and keeps a checked NodeConfig of them.

    A change that is not allowed is refused as a whole, with the reason. What may not change while
    the node runs is refused then, and taken while it is not configured.

    Args:
        node: The node; its constructor has run.
        on_change: Called with the new configuration after a change was taken.

    Raises:
        ConfigurationError: A value from the command line or a file is not allowed.
    """

    def __init__(self, node: Node, on_change: Callable[[NodeConfig], None]) -> None:
        self._node, self._on_change = node, on_change
        self.locked = False
        """True while only ``live`` parameters may change."""
        radars_spec = next(spec for spec in specs(()) if spec.name == "radars")
        self._specs: dict[str, ParameterSpec] = {}
        self._declare([radars_spec])
        radars_spec.check(node.get_parameter("radars").value)
        names = radar_names(node.get_parameter("radars").value)
        self._declare([spec for spec in specs(names) if spec.name != "radars"])
        self._config = NodeConfig.from_values(self._values({}))
        node.add_on_set_parameters_callback(self._check)
        # Before Iron there is no call after the change; then the check itself has to hand it on.
        self._has_post_set = hasattr(node, "add_post_set_parameters_callback")
        if self._has_post_set:
            node.add_post_set_parameters_callback(self._apply)

    @property
    def config(self) -> NodeConfig:
        """The configuration now."""
        return self._config

    def _declare(self, wanted: Sequence[ParameterSpec]) -> None:
        for spec in wanted:
            default = list(spec.default) if isinstance(spec.default, tuple) else spec.default
            try:
                self._node.declare_parameter(spec.name, default, descriptor(spec))
            except (InvalidParameterTypeException, InvalidParameterValueException) as error:
                raise ConfigurationError(
                    f"parameter {spec.name} cannot be used: {error}. Expected {spec.type_name}"
                    f"{', ' + spec.allowed if spec.allowed else ''}."
                ) from error
            self._specs[spec.name] = spec

    def _values(self, changed: dict[str, Any]) -> dict[str, Any]:
        return {
            name: _plain(changed[name] if name in changed else self._node.get_parameter(name).value)
            for name in self._specs
        }

    def _check(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        changed = {p.name: p.value for p in parameters if p.name in self._specs}
        if not changed:
            return SetParametersResult(successful=True)
        try:
            for name in changed:
                if changed[name] is None:
                    raise ConfigurationError(f"parameter {name} must keep a value.")
            if self.locked:
                self._refuse_fixed(changed)
            config = NodeConfig.from_values(self._values(changed))
        except ConfigurationError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if not self._has_post_set:
            self._config = config
            self._on_change(config)
        return SetParametersResult(successful=True)

    def _refuse_fixed(self, changed: dict[str, Any]) -> None:
        for name, value in changed.items():
            before = self._node.get_parameter(name).value
            if self._specs[name].change != "live" and _plain(value) != _plain(before):
                raise ConfigurationError(
                    f"parameter {name} cannot change while the node is configured; deactivate and "
                    "clean up first, or start the node with it."
                )

    def _apply(self, parameters: list[Parameter[Any]]) -> None:
        if any(p.name in self._specs for p in parameters):
            self._config = NodeConfig.from_values(self._values({}))
            self._on_change(self._config)


def _plain(value: Any) -> Any:
    """Return arrays, which rclpy gives as lists, tuples or array.array, as tuples."""
    return tuple(value) if hasattr(value, "__len__") and not isinstance(value, str) else value
