# SPDX-License-Identifier: Apache-2.0
"""Running a node."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterable
from functools import cache
from typing import Any

import yaml
from launch import LaunchContext, SomeSubstitutionsType, logging
from launch.actions import ExecuteProcess
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions
from launch_ros.namespaces import absolute_namespace
from launch_ros.parameters import check_parameters, evaluate_parameters
from launch_ros.substitutions import ExecutableInPackage
from rclpy.validate_namespace import validate_namespace
from rclpy.validate_node_name import validate_node_name


class Node(ExecuteProcess):
    """Starts a node's executable with name, namespace, parameters and remappings.

    Parameters take effect in order; the last one wins.
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
        parameters: Any = (),
        remappings: Iterable[tuple[SomeSubstitutionsType, SomeSubstitutionsType]] = (),
        ros_arguments: Iterable[SomeSubstitutionsType] = (),
        arguments: Iterable[SomeSubstitutionsType] = (),
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
                substitutions) and of paths of YAML files.
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
        ros_arguments = list(ros_arguments)
        if ros_arguments:
            ros_arguments.insert(0, "--ros-args")
        super().__init__(cmd=[program, *arguments, *ros_arguments], name=exec_name, **kwargs)
        self._node_name = None if name is None else normalize_to_list_of_substitutions(name)
        self._namespace = (
            None if namespace is None else normalize_to_list_of_substitutions(namespace)
        )
        self._parameters = check_parameters(parameters)
        self._remappings = [
            (normalize_to_list_of_substitutions(source), normalize_to_list_of_substitutions(target))
            for source, target in remappings
        ]
        self._full_name: str | None = None

    @property
    def node_name(self) -> str:
        """Namespace and name; RuntimeError before the node is executed."""
        if self._full_name is None:
            raise RuntimeError("node_name is known only once the node is executed")
        return self._full_name

    def is_node_name_fully_specified(self) -> bool:
        """Return whether both name and namespace are given."""
        unspecified = (self.UNSPECIFIED_NODE_NAME, self.UNSPECIFIED_NODE_NAMESPACE)
        return not any(text in self.node_name for text in unspecified)

    def _prepare(self, context: LaunchContext) -> None:
        ros_args = [
            *self._name_arguments(context),
            *self._parameter_arguments(context),
            *self._remap_arguments(context),
        ]
        if ros_args:
            ros_args.insert(0, "--ros-args")
        self._cmd.extend(normalize_to_list_of_substitutions(arg) for arg in ros_args)
        super()._prepare(context)

    def _name_arguments(self, context: LaunchContext) -> list[str]:
        arguments: list[str] = []
        name = self.UNSPECIFIED_NODE_NAME
        if self._node_name is not None:
            name = perform_substitutions(context, self._node_name)
            validate_node_name(name)
            arguments += ["-r", f"__node:={name}"]
        own = None
        if self._namespace is not None:
            own = perform_substitutions(context, self._namespace)
        namespace = absolute_namespace(context, own)
        if namespace is not None:
            validate_namespace(namespace)
            arguments += ["-r", f"__ns:={namespace}"]
        self._full_name = f"{(namespace or self.UNSPECIFIED_NODE_NAMESPACE).rstrip('/')}/{name}"
        return arguments

    def _parameter_arguments(self, context: LaunchContext) -> list[str]:
        arguments: list[str] = []
        for item in self._parameters:
            if isinstance(item, list):
                path = perform_substitutions(context, item)
                if not os.path.isfile(path):
                    logging.get_logger("launch_ros").warning(
                        f"parameter file '{path}' does not exist; the node {self.node_name} "
                        "starts without it"
                    )
                    continue
                arguments += ["--params-file", os.path.abspath(path)]
            elif values := evaluate_parameters(context, item):
                arguments += ["--params-file", self._write_parameters(values)]
        return arguments

    def _write_parameters(self, values: dict[str, Any]) -> str:
        rule = self.node_name if self.is_node_name_fully_specified() else "/**"
        handle, path = tempfile.mkstemp(
            prefix="launch_params_", suffix=".yaml", dir=_parameter_directory()
        )
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yaml.safe_dump({rule: {"ros__parameters": values}}, file)
        return path

    def _remap_arguments(self, context: LaunchContext) -> list[str]:
        arguments: list[str] = []
        for source, target in self._remappings:
            rule = [perform_substitutions(context, part) for part in (source, target)]
            arguments += ["-r", ":=".join(rule)]
        return arguments


@cache
def _parameter_directory() -> str:
    """Return a directory for parameter files that is removed when the process ends."""
    directory = tempfile.mkdtemp(prefix="launch_params_")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory
