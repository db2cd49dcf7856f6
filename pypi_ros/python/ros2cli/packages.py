# SPDX-License-Identifier: Apache-2.0
"""Packages of the ament index, with errors for people."""

from __future__ import annotations

import os
from pathlib import Path

from ament_index_python.packages import (
    PackageNotFoundError,
    get_package_prefix,
)
from ros2cli.errors import CommandError


def prefix(package: str) -> Path:
    """Return a package's prefix; CommandError if there is no such package."""
    try:
        return Path(get_package_prefix(package))
    except (PackageNotFoundError, ValueError) as error:
        raise CommandError(f"Package '{package}' not found: {error}") from error


def share(package: str) -> Path:
    """Return a package's share directory; CommandError if there is no such package."""
    return prefix(package) / "share" / package


def executables(package: str) -> list[Path]:
    """Return the executables in a package's ``lib`` directory."""
    directory = prefix(package) / "lib" / package
    if not directory.is_dir():
        return []
    return sorted(p for p in directory.rglob("*") if p.is_file() and os.access(p, os.X_OK))
