# SPDX-License-Identifier: Apache-2.0
"""Matchers of nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..actions import Node


def matches_node_name(node_name: str) -> Callable[[Node], bool]:
    """Return a matcher of the node with this name (namespace and name, or only the name)."""
    wanted = node_name if node_name.startswith("/") else f"/{node_name}"
    return lambda action: action.node_name == wanted
