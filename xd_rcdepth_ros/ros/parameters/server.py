# SPDX-License-Identifier: Apache-2.0
"""A parameter table as parameters of a node: declared with descriptors, checked, handed on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.ros.parameters.spec import ParameterSpec, ParameterTable

_TableT = TypeVar("_TableT", bound=ParameterTable)


def descriptor(spec: ParameterSpec) -> ParameterDescriptor:
    """Return the ROS descriptor of a parameter."""
    has_range = spec.limits is not None and not spec.is_array  # ROS has none for arrays
    message = ParameterDescriptor(
        name=spec.name,
        description=spec.description,
        additional_constraints="" if has_range else spec.allowed,
        read_only=spec.change == "start",
    )
    if spec.limits is not None and has_range:
        low, high = spec.limits
        if isinstance(spec.default, float):
            message.floating_point_range = [
                FloatingPointRange(from_value=float(low), to_value=float(high))
            ]
        else:
            message.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    return message


class ParameterServer(Generic[_TableT]):
    """Declares every parameter of a table on a node and keeps the checked values.

    A change that is not allowed is refused as a whole, with the reason. What may not change while
    the node is configured is refused then. A whole number is taken where a double is meant.

    Args:
        node: The node; its constructor has run.
        table: The table's class.
        on_change: Called with the new values after a change was taken.

    Raises:
        ConfigurationError: A value from the command line or a file is not allowed.
    """

    def __init__(
        self, node: Node, table: type[_TableT], on_change: Callable[[_TableT], None]
    ) -> None:
        self._node, self._table, self._on_change = node, table, on_change
        self.locked = False
        """True while only ``live`` parameters may change."""
        # Before Iron there are no calls before and after a change: the check itself hands it on
        # then, and doubles are declared without a fixed type so that whole numbers get that far.
        self._has_hooks = hasattr(node, "add_pre_set_parameters_callback")
        # What command line and files say; rclpy has no public way to it but declaring.
        self._given: dict[str, Parameter[Any]] = node._parameter_overrides
        given = {name: _plain(parameter.value) for name, parameter in self._given.items()}
        self._specs = {spec.name: spec for spec in table.specs(given)}
        for spec in self._specs.values():
            self._declare(spec, given)
        self._config = table.from_values(self._values({}))
        node.add_on_set_parameters_callback(self._check)
        if self._has_hooks:
            node.add_pre_set_parameters_callback(self._convert)
            node.add_post_set_parameters_callback(self._apply)

    @property
    def config(self) -> _TableT:
        """The values now."""
        return self._config

    def unknown(self) -> dict[str, str]:
        """Return the parameters that were given but that nothing has declared.

        Returns:
            By name, a text that says so and names what may have been meant.
        """
        known = list(self._node.get_parameters_by_prefix(""))
        return {
            name: self._config.explain_unknown(name, known)
            for name in self._given
            if not self._node.has_parameter(name)
        }

    def _declare(self, spec: ParameterSpec, given: Mapping[str, Any]) -> None:
        value = spec.read(given)
        described = descriptor(spec)
        if not self._has_hooks and isinstance(spec.default, float):
            described.dynamic_typing = True
        self._node.declare_parameter(spec.name, _listed(value), described, ignore_override=True)

    def _values(self, changed: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: _plain(changed[name] if name in changed else self._node.get_parameter(name).value)
            for name in self._specs
        }

    def _convert(self, parameters: list[Parameter[Any]]) -> list[Parameter[Any]]:
        """Turn whole numbers into doubles where these are meant; leave the rest to the check."""
        return [self._converted(parameter) for parameter in parameters]

    def _converted(self, parameter: Parameter[Any]) -> Parameter[Any]:
        spec = self._specs.get(parameter.name)
        if spec is None or parameter.value is None:
            return parameter
        try:
            value = spec.convert(_plain(parameter.value))
        except ConfigurationError:
            return parameter
        return Parameter(parameter.name, value=_listed(value))

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
            config = self._table.from_values(self._values(changed))
        except ConfigurationError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if not self._has_hooks:
            self._config = config
            self._on_change(config)
        return SetParametersResult(successful=True)

    def _refuse_fixed(self, changed: Mapping[str, Any]) -> None:
        for name, value in changed.items():
            before = self._node.get_parameter(name).value
            if self._specs[name].change != "live" and _plain(value) != _plain(before):
                raise ConfigurationError(
                    f"parameter {name} cannot change while the node is configured; deactivate and "
                    "clean up first, or start the node with it."
                )

    def _apply(self, parameters: list[Parameter[Any]]) -> None:
        if any(p.name in self._specs for p in parameters):
            self._config = self._table.from_values(self._values({}))
            self._on_change(self._config)


def _plain(value: Any) -> Any:
    """Return arrays, which rclpy gives as lists, tuples or array.array, as tuples."""
    return tuple(value) if hasattr(value, "__len__") and not isinstance(value, str) else value


def _listed(value: Any) -> Any:
    """Return tuples as lists, as rclpy wants arrays."""
    return list(value) if isinstance(value, tuple) else value
