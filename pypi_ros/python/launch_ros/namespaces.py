# SPDX-License-Identifier: Apache-2.0
"""Namespaces of nodes, and the one that holds in a scope of the launch."""

from __future__ import annotations

from launch import LaunchContext

NAMESPACE = "ros_namespace"
"""The launch configuration that holds the namespace of the present scope."""


def absolute_namespace(context: LaunchContext, namespace: str | None) -> str | None:
    """Return a namespace below that of the scope, with a slash in front and none at the end.

    Args:
        context: The launch context.
        namespace: If absolute, the scope's does not count. None means the scope's.

    Returns:
        The namespace, or None if there is none at all.
    """
    outer = context.launch_configurations.get(NAMESPACE)
    if namespace is None:
        return outer
    if not namespace.startswith("/"):
        namespace = f"{outer or ''}/{namespace}"
    return "/" + namespace.strip("/")
