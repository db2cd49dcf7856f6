# SPDX-License-Identifier: Apache-2.0
"""Substitutions that find packages and their executables."""

from __future__ import annotations

import os
import shutil

from ament_index_python.packages import get_package_prefix, get_package_share_directory
from launch import LaunchContext, SomeSubstitutionsType, Substitution
from launch.not_offered import names_the_upstream_package
from launch.substitutions import SubstitutionFailure
from launch.utilities import (
    describe_substitutions,
    normalize_to_list_of_substitutions,
    perform_substitutions,
)

__all__ = ["ExecutableInPackage", "FindPackageShare"]

__getattr__ = names_the_upstream_package(__name__, "launch_ros")


class FindPackageShare(Substitution):
    """The ``share`` directory of a package."""

    def __init__(self, package: SomeSubstitutionsType) -> None:
        """Store the package's name."""
        self._package = normalize_to_list_of_substitutions(package)

    def describe(self) -> str:
        """Return the package's name, for people."""
        return f"FindPackageShare(pkg={describe_substitutions(self._package)})"

    def perform(self, context: LaunchContext) -> str:
        """Return the directory; PackageNotFoundError if there is no such package."""
        return get_package_share_directory(perform_substitutions(context, self._package))


class ExecutableInPackage(Substitution):
    """The path of an executable in ``lib/<package>`` of a package's prefix."""

    def __init__(self, executable: SomeSubstitutionsType, package: SomeSubstitutionsType) -> None:
        """Store the names of executable and package."""
        self._executable = normalize_to_list_of_substitutions(executable)
        self._package = normalize_to_list_of_substitutions(package)

    def describe(self) -> str:
        """Return the names, for people."""
        package = describe_substitutions(self._package)
        return f"ExecInPkg(pkg={package}, exec={describe_substitutions(self._executable)})"

    def perform(self, context: LaunchContext) -> str:
        """Return the path.

        Raises:
            PackageNotFoundError: There is no such package.
            SubstitutionFailure: The package has no such executable.
        """
        package = perform_substitutions(context, self._package)
        executable = perform_substitutions(context, self._executable)
        directory = os.path.join(get_package_prefix(package), "lib", package)
        path = shutil.which(executable, path=directory)
        if path is None:
            present = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
            raise SubstitutionFailure(
                f"executable '{executable}' of package '{package}' not found in '{directory}'; "
                f"there are: {', '.join(present) or 'none'}"
            )
        return path
