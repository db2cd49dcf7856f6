# SPDX-License-Identifier: Apache-2.0
"""Clear errors for the parts of upstream's packages that are not offered here."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn


def names_the_upstream_package(module: str, upstream: str) -> Callable[[str], NoReturn]:
    """Make a module level ``__getattr__`` that says where a missing class is to be found.

    Args:
        module: The module whose attribute was asked for.
        upstream: The upstream ROS package that has it.

    Returns:
        A function for ``__getattr__``. Class names raise ImportError (the only exception whose
        text survives ``from module import Name``), other names AttributeError.
    """

    def missing(name: str) -> NoReturn:
        text = (
            f"{module} has no '{name}' here: this is the small stand-in for a machine without "
            f"ROS. It offers only part of the ROS package '{upstream}'; install that package "
            f"(a sourced ROS 2) to use '{name}'."
        )
        if name[:1].isupper():
            raise ImportError(text)
        raise AttributeError(text)

    return missing
