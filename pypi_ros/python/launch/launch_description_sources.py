# SPDX-License-Identifier: Apache-2.0
"""Launch descriptions from launch files (Python; no XML or YAML here)."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType

from ._absent import names_the_upstream_package
from .invalid_launch_file_error import InvalidLaunchFileError
from .launch_description import LaunchDescription
from .launch_description_source import LaunchDescriptionSource
from .some_substitutions_type import SomeSubstitutionsType


class InvalidPythonLaunchFileError(InvalidLaunchFileError):
    """A Python file that is no launch file."""


def load_python_launch_file_as_module(python_launch_file_path: str) -> ModuleType:
    """Execute a launch file as a module of its own, not registered in `sys.modules`."""
    loader = importlib.machinery.SourceFileLoader("python_launch_file", python_launch_file_path)
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def get_launch_description_from_python_launch_file(
    python_launch_file_path: str,
) -> LaunchDescription:
    """Return what the file's ``generate_launch_description()`` returns.

    Raises:
        InvalidPythonLaunchFileError: The file has no such function.
    """
    module = load_python_launch_file_as_module(python_launch_file_path)
    generate = getattr(module, "generate_launch_description", None)
    if generate is None:
        raise InvalidPythonLaunchFileError(
            f"launch file '{python_launch_file_path}' has no generate_launch_description(); "
            "define it and let it return a LaunchDescription"
        )
    return generate()


def get_launch_description_from_any_launch_file(
    launch_file_path: str, *, parser: None = None
) -> LaunchDescription:
    """Return a launch file's description; only Python launch files are understood here.

    Raises:
        InvalidLaunchFileError: The file's name ends neither in ``.py``.
        FileNotFoundError: There is no such file.
    """
    path = Path(launch_file_path)
    if path.suffix in (".xml", ".yaml", ".yml"):
        raise InvalidLaunchFileError(
            f"'{launch_file_path}' is not a Python launch file: XML and YAML launch files need "
            "the ROS packages 'launch_xml' and 'launch_yaml'"
        )
    if not path.is_file():
        raise FileNotFoundError(f"launch file '{launch_file_path}' does not exist")
    return get_launch_description_from_python_launch_file(str(path))


class PythonLaunchDescriptionSource(LaunchDescriptionSource):
    """A Python launch file."""

    def __init__(self, launch_file_path: SomeSubstitutionsType) -> None:
        """Store the path of the file; it is loaded when the launch needs it."""
        super().__init__(None, launch_file_path, "interpreted python launch file")

    def _get_launch_description(self, location: str) -> LaunchDescription:
        return get_launch_description_from_python_launch_file(location)


class AnyLaunchDescriptionSource(LaunchDescriptionSource):
    """A launch file whose kind is known by its name."""

    def __init__(self, launch_file_path: SomeSubstitutionsType) -> None:
        """Store the path of the file; it is loaded when the launch needs it."""
        super().__init__(None, launch_file_path, "any supported launch file")

    def _get_launch_description(self, location: str) -> LaunchDescription:
        return get_launch_description_from_any_launch_file(location)


__getattr__ = names_the_upstream_package(__name__, "launch")
