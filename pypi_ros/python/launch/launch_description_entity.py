# SPDX-License-Identifier: Apache-2.0
"""The base class of everything a launch description may contain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from launch.launch_context import LaunchContext


class LaunchDescriptionEntity:
    """A visitable part of a launch description: an action, or a description itself."""

    def visit(self, context: LaunchContext) -> Iterable[LaunchDescriptionEntity] | None:
        """Do this entity's work in `context`; return the entities to be visited next."""
        raise NotImplementedError(f"{type(self).__name__}.visit")

    def get_sub_entities(self) -> Iterable[LaunchDescriptionEntity]:
        """Return the entities that visiting this one yields, as far as known before."""
        return []

    def get_asyncio_future(self) -> asyncio.Future[None] | None:
        """Return a future that is done when this entity's work is over, or None if it is now."""
        return None


SomeEntitiesType = LaunchDescriptionEntity | Iterable[LaunchDescriptionEntity]
"""What is accepted wherever one or several launch entities may stand."""
