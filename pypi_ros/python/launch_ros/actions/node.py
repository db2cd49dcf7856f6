# SPDX-License-Identifier: Apache-2.0
"""Running a node."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from launch import LaunchContext, SomeSubstitutionsType, logging
from launch.actions import ExecuteProcess
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

from ..parameter_descriptions import Parameter
from ..substitutions import ExecutableInPackage
from ..utilities import (
    check_parameters,
    evaluate_parameters,
    make_namespace_absolute,
    normalize_remap_rules,
    prefix_namespace,
)
from .scoped_settings import NAMESPACE, PARAMETERS, REMAPPINGS

_parameter_directory: str | None = None


class Node(ExecuteProcess):
    """Starts a node's executable with name, namespace, parameters and remappings.

    Parameters take effect in order, those set by SetParameter in the scope first; the last one
    wins.
    """

    UNSPECIFIED_NODE_NAME = "<node_name_unspecified>"
    UNSPECIFIED_NODE_NAMESPACE = "<node_namespace_unspecified>"

    def __init__(
        self,
        *,
        executable: SomeSubstitutionsType,
        package: SomeSubstitutionsType | None = None,
        name: SomeSubstitutionsType | None = None,
        namespace: SomeSubstitutionsType | None = None,
        exec_name: SomeSubstitutionsType | None = None,
        parameters: Any = None,
        remappings: Iterable[Any] | None = None,
        ros_arguments: Iterable[SomeSubstitutionsType] | None = None,
        arguments: Iterable[SomeSubstitutionsType] | None = None,
        **kwargs: Any,
    ) -> None:
        """Describe the node.

        Args:
            executable: Name of the executable in the package, or without a package its path.
            package: The package.
            name: The node's name; by default the one in its code.
            namespace: The node's namespace; a relative one is put below that of the scope.
            exec_name: Label of the process, by default the executable's name.
            parameters: List of dictionaries (nested ones are joined by dots; values may be
                substitutions), paths of YAML files, ParameterFiles and Parameters.
            remappings: Pairs (from, to).
            ros_arguments: Arguments after ``--ros-args``.
            arguments: Other arguments.
            **kwargs: What ExecuteProcess takes, but for ``cmd`` and ``name``.

        Raises:
            TypeError: Parameters or remappings are not of these forms.
        """
        program = (
            executable
            if package is None
            else ExecutableInPackage(package=package, executable=executable)
        )
        cmd = [program, *(arguments or ())]
        if ros_arguments is not None:
            cmd += ["--ros-args", *ros_arguments]
        self._package = package
        self._executable = executable
        self._node_name = None if name is None else normalize_to_list_of_substitutions(name)
        self._node_namespace = (
            None if namespace is None else normalize_to_list_of_substitutions(namespace)
        )
        self._parameters = check_parameters(parameters) if parameters is not None else []
        self._remappings = normalize_remap_rules(remappings or ())
        self._final_node_name: str | None = None
        self._expanded_namespace = self.UNSPECIFIED_NODE_NAMESPACE
        self._expanded_remappings: list[tuple[str, str]] = []
        super().__init__(cmd=cmd, name=exec_name, **kwargs)

    @property
    def node_package(self) -> Any:
        """The package."""
        return self._package

    @property
    def node_executable(self) -> Any:
        """The executable."""
        return self._executable

    @property
    def node_name(self) -> str:
        """Namespace and name; RuntimeError before the node is executed."""
        if self._final_node_name is None:
            raise RuntimeError("node_name is known only once the node is executed")
        return self._final_node_name

    @property
    def expanded_node_namespace(self) -> str:
        """The namespace, once executed."""
        return self._expanded_namespace

    @property
    def expanded_remapping_rules(self) -> list[tuple[str, str]]:
        """The remappings, once executed."""
        return self._expanded_remappings

    def is_node_name_fully_specified(self) -> bool:
        """Return whether both name and namespace are given."""
        unspecified = (self.UNSPECIFIED_NODE_NAME, self.UNSPECIFIED_NODE_NAMESPACE)
        return not any(text in self.node_name for text in unspecified)

    def _prepare(self, context: LaunchContext) -> None:
        ros_args = [
            "--ros-args",
            *self._name_arguments(context),
            *self._parameter_arguments(context),
            *self._remap_arguments(context),
        ]
        if len(ros_args) > 1:
            self._cmd.extend(normalize_to_list_of_substitutions(arg) for arg in ros_args)
        super()._prepare(context)

    def _name_arguments(self, context: LaunchContext) -> list[str]:
        from rclpy.validate_namespace import validate_namespace
        from rclpy.validate_node_name import validate_node_name

        arguments: list[str] = []
        name = self.UNSPECIFIED_NODE_NAME
        if self._node_name is not None:
            name = perform_substitutions(context, self._node_name)
            validate_node_name(name)
            arguments += ["-r", f"__node:={name}"]
        own = None
        if self._node_namespace is not None:
            own = perform_substitutions(context, self._node_namespace)
        scope = context.launch_configurations.get(NAMESPACE)
        namespace = make_namespace_absolute(prefix_namespace(scope, own))
        if namespace is not None:
            validate_namespace(namespace)
            self._expanded_namespace = namespace
            arguments += ["-r", f"__ns:={namespace}"]
        self._final_node_name = prefix_namespace(self._expanded_namespace, name)
        return arguments

    def _parameter_arguments(self, context: LaunchContext) -> list[str]:
        arguments: list[str] = []
        for item in context.launch_configurations.get(PARAMETERS, []):
            if isinstance(item, tuple):
                arguments += ["-p", _parameter_rule(*item)]
            else:
                arguments += self._file_arguments(item)
        for item in evaluate_parameters(context, self._parameters):
            if isinstance(item, Parameter):
                arguments += ["-p", _parameter_rule(*item.evaluate(context))]
            elif isinstance(item, dict):
                if item:
                    arguments += ["--params-file", self._write_parameters(item)]
            else:
                arguments += self._file_arguments(os.fspath(item))
        return arguments

    def _file_arguments(self, path: str) -> list[str]:
        if not os.path.isfile(path):
            logging.get_logger("launch_ros").warning(
                f"parameter file '{path}' does not exist; {self.describe()} goes without it"
            )
            return []
        return ["--params-file", os.path.abspath(path)]

    def _write_parameters(self, values: Mapping[str, Any]) -> str:
        rule = self.node_name if self.is_node_name_fully_specified() else "/**"
        handle, path = tempfile.mkstemp(
            prefix="launch_params_", suffix=".yaml", dir=_get_parameter_directory()
        )
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yaml.safe_dump({rule: {"ros__parameters": dict(values)}}, file)
        return path

    def _remap_arguments(self, context: LaunchContext) -> list[str]:
        self._expanded_remappings = [
            *context.launch_configurations.get(REMAPPINGS, []),
            *(
                (perform_substitutions(context, src), perform_substitutions(context, dst))
                for src, dst in self._remappings
            ),
        ]
        arguments: list[str] = []
        for src, dst in self._expanded_remappings:
            arguments += ["-r", f"{src}:={dst}"]
        return arguments


def _parameter_rule(name: str, value: Any) -> str:
    """Return ``name:=value`` with the value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=2**31)
    return f"{name}:={text.removesuffix('...' + chr(10)).strip()}"


def _get_parameter_directory() -> str:
    """Return a directory for parameter files that is removed when the process ends."""
    global _parameter_directory
    if _parameter_directory is None:
        _parameter_directory = tempfile.mkdtemp(prefix="launch_params_")
        atexit.register(shutil.rmtree, _parameter_directory, ignore_errors=True)
    return _parameter_directory
