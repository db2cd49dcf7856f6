# SPDX-License-Identifier: Apache-2.0
"""A namespace for all nodes that are started after it in the same scope."""

from __future__ import annotations

from typing import Any

from launch import Action, LaunchContext, SomeSubstitutionsType
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions
from launch_ros.namespaces import NAMESPACE, absolute_namespace
from rclpy.validate_namespace import validate_namespace


class PushRosNamespace(Action):
    """Puts the nodes below a namespace, until the scope (a GroupAction) ends."""

    def __init__(self, namespace: SomeSubstitutionsType, **kwargs: Any) -> None:
        """Store the namespace; a relative one is put below the present one."""
        super().__init__(**kwargs)
        self._namespace = normalize_to_list_of_substitutions(namespace)

    def execute(self, context: LaunchContext) -> None:
        """Push it; InvalidNamespaceException if the result is no valid namespace."""
        pushed = perform_substitutions(context, self._namespace)
        namespace = absolute_namespace(context, pushed) or "/"
        validate_namespace(namespace)
        context.launch_configurations[NAMESPACE] = namespace
