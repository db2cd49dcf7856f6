# SPDX-License-Identifier: Apache-2.0
"""The base class of all substitutions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .launch_context import LaunchContext


class Substitution:
    """Something in a launch file that becomes text only when the launch file runs."""

    def describe(self) -> str:
        """Return a short text for people, without performing anything."""
        return f"{type(self).__name__}()"

    def perform(self, context: LaunchContext) -> str:
        """Return the text this substitution stands for in `context`."""
        raise NotImplementedError(f"{type(self).__name__}.perform")
