# SPDX-License-Identifier: Apache-2.0
"""Settings for all nodes that are started after them in the same scope.

They live in the launch configurations, so a scoped GroupAction ends them.
"""

from __future__ import annotations

from typing import Any

from launch import Action, LaunchContext, SomeSubstitutionsType, Substitution
from launch.substitutions import SubstitutionFailure
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

from ..utilities import (
    check_parameters,
    evaluate_parameter_dict,
    make_namespace_absolute,
    prefix_namespace,
)

NAMESPACE = "ros_namespace"
PARAMETERS = "global_params"
REMAPPINGS = "ros_remaps"


def _append(context: LaunchContext, key: str, items: list[Any]) -> None:
    """Append to a list in the configurations, as a new list: outer scopes keep theirs."""
    context.launch_configurations[key] = [*context.launch_configurations.get(key, []), *items]


class PushRosNamespace(Action):
    """Puts the nodes below a namespace."""

    def __init__(self, namespace: SomeSubstitutionsType, **kwargs: Any) -> None:
        """Store the namespace; a relative one is put below the present one."""
        super().__init__(**kwargs)
        self._namespace = normalize_to_list_of_substitutions(namespace)

    @property
    def namespace(self) -> list[Substitution]:
        """The namespace."""
        return self._namespace

    def execute(self, context: LaunchContext) -> None:
        """Push it; SubstitutionFailure if the result is no valid namespace."""
        from rclpy.exceptions import InvalidNamespaceException
        from rclpy.validate_namespace import validate_namespace

        before = context.launch_configurations.get(NAMESPACE)
        pushed = perform_substitutions(context, self._namespace)
        namespace = make_namespace_absolute(prefix_namespace(before, pushed)) or "/"
        try:
            validate_namespace(namespace)
        except InvalidNamespaceException as error:
            raise SubstitutionFailure(
                f"namespace '{pushed}' below '{before}' is not valid: {error}"
            ) from error
        context.launch_configurations[NAMESPACE] = namespace


PushROSNamespace = PushRosNamespace


class SetParameter(Action):
    """Sets a parameter of the nodes."""

    def __init__(self, name: SomeSubstitutionsType, value: Any, **kwargs: Any) -> None:
        """Store name and value; the value is what a node's parameter dictionary allows."""
        super().__init__(**kwargs)
        self._name = normalize_to_list_of_substitutions(name)
        self._value = value
        check_parameters([{tuple(self._name): value}])

    @property
    def name(self) -> tuple[Substitution, ...]:
        """The name."""
        return tuple(self._name)

    @property
    def value(self) -> Any:
        """The value."""
        return self._value

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        values = evaluate_parameter_dict(context, {tuple(self._name): self._value})
        _append(context, PARAMETERS, list(values.items()))


class SetParametersFromFile(Action):
    """Gives a YAML file of parameters to the nodes."""

    def __init__(self, filename: SomeSubstitutionsType, **kwargs: Any) -> None:
        """Store the path."""
        super().__init__(**kwargs)
        self._filename = normalize_to_list_of_substitutions(filename)

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        _append(context, PARAMETERS, [perform_substitutions(context, self._filename)])


class SetRemap(Action):
    """Remaps a name in the nodes; it comes before the nodes' own remappings."""

    def __init__(
        self, src: SomeSubstitutionsType, dst: SomeSubstitutionsType, **kwargs: Any
    ) -> None:
        """Store both names."""
        super().__init__(**kwargs)
        self._src = normalize_to_list_of_substitutions(src)
        self._dst = normalize_to_list_of_substitutions(dst)

    @property
    def src(self) -> list[Substitution]:
        """The name in the node."""
        return self._src

    @property
    def dst(self) -> list[Substitution]:
        """The name outside."""
        return self._dst

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        rule = (
            perform_substitutions(context, self._src),
            perform_substitutions(context, self._dst),
        )
        _append(context, REMAPPINGS, [rule])


class SetUseSimTime(Action):
    """Sets ``use_sim_time`` of the launch process's own node.

    For the launched nodes, use ``SetParameter("use_sim_time", True)``.
    """

    def __init__(self, value: bool, **kwargs: Any) -> None:
        """Store the value."""
        super().__init__(**kwargs)
        self._value = value

    @property
    def value(self) -> bool:
        """The value."""
        return self._value

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        from rclpy.parameter import Parameter

        from ..ros_adapters import get_ros_node

        parameter = Parameter("use_sim_time", Parameter.Type.BOOL, self._value)
        get_ros_node(context).set_parameters([parameter])
