# SPDX-License-Identifier: Apache-2.0
"""Where a launch description comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import logging
from .some_substitutions_type import SomeSubstitutionsType
from .utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from .launch_context import LaunchContext
    from .launch_description import LaunchDescription


class LaunchDescriptionSource:
    """A launch description that is at hand, or (in subclasses) loaded from a location."""

    def __init__(
        self,
        launch_description: LaunchDescription | None = None,
        location: SomeSubstitutionsType = "<string>",
        method: str = "unspecified mechanism from a script",
    ) -> None:
        """Store the description or the way to it.

        Args:
            launch_description: The description, if it exists already.
            location: The file it comes from; may hold substitutions.
            method: How it is made, for people.
        """
        self._launch_description = launch_description
        self._location = normalize_to_list_of_substitutions(location)
        self._expanded_location: str | None = None
        self._method = method

    @property
    def location(self) -> str:
        """The file: its path once loaded, before that a text that describes it."""
        if self._expanded_location is None:
            return " + ".join(part.describe() for part in self._location)
        return self._expanded_location

    @property
    def method(self) -> str:
        """How the description is made, for people."""
        return self._method

    def try_get_launch_description_without_context(self) -> LaunchDescription | None:
        """Load the description before anything is launched; None where that is impossible."""
        if self._launch_description is not None:
            return self._launch_description
        from .launch_context import LaunchContext

        try:
            path = perform_substitutions(LaunchContext(), self._location)
            return self._get_launch_description(path)
        except Exception as error:  # the file may need values that only the launch knows
            logging.get_logger().debug(f"cannot look into {self.location} yet: {error}")
            return None

    def get_launch_description(self, context: LaunchContext) -> LaunchDescription:
        """Return the description, loaded on the first call."""
        if self._expanded_location is None:
            self._expanded_location = perform_substitutions(context, self._location)
        if self._launch_description is None:
            self._launch_description = self._get_launch_description(self._expanded_location)
        return self._launch_description

    def _get_launch_description(self, location: str) -> LaunchDescription:
        raise RuntimeError(f"{type(self).__name__} holds no launch description ({location})")
