# SPDX-License-Identifier: Apache-2.0
"""Python functions as actions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from launch.action import Action
from launch.launch_context import LaunchContext
from launch.launch_description_entity import LaunchDescriptionEntity


class OpaqueFunction(Action):
    """Calls a function, which may return further entities."""

    def __init__(
        self,
        *,
        function: Callable[..., list[LaunchDescriptionEntity] | None],
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **left_over_kwargs: Any,
    ) -> None:
        """Store the function.

        Args:
            function: Called as ``function(context, *args, **kwargs)``.
            args: Further positional arguments.
            kwargs: Keyword arguments.
            **left_over_kwargs: ``condition``.
        """
        super().__init__(**left_over_kwargs)
        if not callable(function):
            raise TypeError(f"OpaqueFunction: function is {function!r}, which cannot be called")
        self._function = function
        self._args = tuple(args or ())
        self._kwargs = dict(kwargs or {})

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        """Call the function; return what it returns."""
        return self._function(context, *self._args, **self._kwargs)
