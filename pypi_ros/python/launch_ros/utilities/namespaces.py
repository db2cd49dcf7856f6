# SPDX-License-Identifier: Apache-2.0
"""Namespaces and remapping rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from launch import Substitution
from launch.utilities import normalize_to_list_of_substitutions

RemapRule = tuple[list[Substitution], list[Substitution]]


def is_root_namespace(ns: str) -> bool:
    """Return whether it is ``/``."""
    return ns == "/"


def is_namespace_absolute(ns: str) -> bool:
    """Return whether it begins with ``/``."""
    return ns.startswith("/")


def prefix_namespace(base_ns: str | None, ns: str | None) -> str | None:
    """Return `ns` below `base_ns`, without a slash at the end.

    Args:
        base_ns: The outer namespace, or None.
        ns: The inner one; if absolute, the outer one does not count. None means the outer one.

    Returns:
        The namespace, or None if both are None.
    """
    if ns is None:
        combined = base_ns
    elif not base_ns or is_namespace_absolute(ns):
        combined = ns
    else:
        combined = f"{base_ns.rstrip('/')}/{ns}"
    if combined is None or is_root_namespace(combined):
        return combined
    return combined.rstrip("/")


def make_namespace_absolute(ns: str | None) -> str | None:
    """Return the namespace with a slash in front; None stays None."""
    if ns is None or is_namespace_absolute(ns):
        return ns
    return f"/{ns}"


def normalize_remap_rule(rule: Any) -> RemapRule:
    """Return a pair (from, to) as substitutions.

    Raises:
        TypeError: It is no pair.
    """
    if not isinstance(rule, (tuple, list)) or len(rule) != 2:
        raise TypeError(f"remapping {rule!r} is no pair (from, to)")
    return normalize_to_list_of_substitutions(rule[0]), normalize_to_list_of_substitutions(rule[1])


def normalize_remap_rules(rules: Iterable[Any]) -> list[RemapRule]:
    """Return pairs (from, to) as substitutions."""
    return [normalize_remap_rule(rule) for rule in rules]
