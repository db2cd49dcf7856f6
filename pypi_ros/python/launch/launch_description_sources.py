# SPDX-License-Identifier: Apache-2.0
"""Launch descriptions from launch files (Python; no XML or YAML here)."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path

from launch import logging
from launch.launch_context import LaunchContext
from launch.launch_description import LaunchDescription
from launch.substitution import SomeSubstitutionsType
from launch.utilities import (
    describe_substitutions,
    normalize_to_list_of_substitutions,
    perform_substitutions,
)


class InvalidLaunchFileError(Exception):
    """A file that cannot be understood as a launch file."""


def get_launch_description_from_python_launch_file(
    python_launch_file_path: str,
) -> LaunchDescription:
    """Return what the file's ``generate_launch_description()`` returns.

    Raises:
        InvalidLaunchFileError: The file has no such function, or is XML or YAML.
        FileNotFoundError: There is no such file.
    """
    path = Path(python_launch_file_path)
    if path.suffix in (".xml", ".yaml", ".yml"):
        raise InvalidLaunchFileError(
            f"'{path}' is not a Python launch file: XML and YAML launch files need the ROS "
            "packages 'launch_xml' and 'launch_yaml'"
        )
    if not path.is_file():
        raise FileNotFoundError(f"launch file '{path}' does not exist")
    loader = importlib.machinery.SourceFileLoader("python_launch_file", str(path))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    generate = getattr(module, "generate_launch_description", None)
    if generate is None:
        raise InvalidLaunchFileError(
            f"launch file '{path}' has no generate_launch_description(); define it and let it "
            "return a LaunchDescription"
        )
    return generate()


class PythonLaunchDescriptionSource:
    """A Python launch file, loaded when it is needed."""

    def __init__(self, launch_file_path: SomeSubstitutionsType) -> None:
        """Store the path of the file; it may hold substitutions."""
        self._path = normalize_to_list_of_substitutions(launch_file_path)
        self._launch_description: LaunchDescription | None = None

    def try_get_launch_description_without_context(self) -> LaunchDescription | None:
        """Load the description before anything is launched; None where that is impossible."""
        try:
            path = perform_substitutions(LaunchContext(), self._path)
            return get_launch_description_from_python_launch_file(path)
        except Exception as error:  # the file may need values that only the launch knows
            logging.get_logger().debug(
                f"cannot look into {describe_substitutions(self._path)} yet: {error}"
            )
            return None

    def get_launch_description(self, context: LaunchContext) -> LaunchDescription:
        """Return the description, loaded on the first call."""
        if self._launch_description is None:
            path = perform_substitutions(context, self._path)
            self._launch_description = get_launch_description_from_python_launch_file(path)
        return self._launch_description
