# SPDX-License-Identifier: Apache-2.0
"""Substitutions that find packages and their executables."""

from __future__ import annotations

import os
import shutil

from ament_index_python.packages import get_package_prefix, get_package_share_directory
from launch import LaunchContext, SomeSubstitutionsType, Substitution
from launch._absent import names_the_upstream_package
from launch.substitutions import PathJoinSubstitution, SubstitutionFailure
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions


class FindPackage(Substitution):
    """A directory of a package; subclasses say which."""

    def __init__(self, package: SomeSubstitutionsType) -> None:
        """Store the package's name."""
        self._package = normalize_to_list_of_substitutions(package)

    @property
    def package(self) -> list[Substitution]:
        """The package's name."""
        return self._package

    def __truediv__(self, other: SomeSubstitutionsType) -> PathJoinSubstitution:
        """Return a path below the directory."""
        return PathJoinSubstitution([self]) / other

    def describe(self) -> str:
        """Return the package's name, for people."""
        name = " + ".join(part.describe() for part in self._package)
        return f"{type(self).__name__}(pkg={name})"

    def find(self, package_name: str) -> str:
        """Return the directory."""
        raise NotImplementedError(f"{type(self).__name__}.find")

    def perform(self, context: LaunchContext) -> str:
        """Return the directory; PackageNotFoundError if there is no such package."""
        return self.find(perform_substitutions(context, self._package))


class FindPackagePrefix(FindPackage):
    """The prefix a package is installed in."""

    def find(self, package_name: str) -> str:
        """Return the prefix."""
        return get_package_prefix(package_name)


class FindPackageShare(FindPackage):
    """The ``share`` directory of a package."""

    def find(self, package_name: str) -> str:
        """Return the directory."""
        return get_package_share_directory(package_name)


class ExecutableInPackage(FindPackagePrefix):
    """The path of an executable in ``lib/<package>`` of a package's prefix."""

    def __init__(self, executable: SomeSubstitutionsType, package: SomeSubstitutionsType) -> None:
        """Store the names of executable and package."""
        super().__init__(package)
        self._executable = normalize_to_list_of_substitutions(executable)

    @property
    def executable(self) -> list[Substitution]:
        """The executable's name."""
        return self._executable

    def describe(self) -> str:
        """Return the names, for people."""
        package = " + ".join(part.describe() for part in self._package)
        executable = " + ".join(part.describe() for part in self._executable)
        return f"ExecInPkg(pkg={package}, exec={executable})"

    def perform(self, context: LaunchContext) -> str:
        """Return the path.

        Raises:
            PackageNotFoundError: There is no such package.
            SubstitutionFailure: The package has no such executable.
        """
        package = perform_substitutions(context, self._package)
        executable = perform_substitutions(context, self._executable)
        directory = os.path.join(super().perform(context), "lib", package)
        if not os.path.isdir(directory):
            raise SubstitutionFailure(
                f"package '{package}' has no executables: there is no directory '{directory}'"
            )
        path = shutil.which(executable, path=directory)
        if path is None:
            raise SubstitutionFailure(
                f"executable '{executable}' of package '{package}' not found in '{directory}'; "
                f"there are: {', '.join(sorted(os.listdir(directory))) or 'none'}"
            )
        return path


__all__ = ["ExecutableInPackage", "FindPackage", "FindPackagePrefix", "FindPackageShare"]

__getattr__ = names_the_upstream_package(__name__, "launch_ros")
