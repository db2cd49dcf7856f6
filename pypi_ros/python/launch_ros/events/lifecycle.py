# SPDX-License-Identifier: Apache-2.0
"""Events of lifecycle nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from launch import Action, Event


class ChangeState(Event):
    """Lifecycle nodes are to make a transition."""

    name = "launch_ros.events.lifecycle.ChangeState"

    def __init__(
        self,
        *,
        lifecycle_node_matcher: Callable[[Action], bool],
        transition_id: int,
    ) -> None:
        """Store whom it concerns and the id of lifecycle_msgs/msg/Transition."""
        self.lifecycle_node_matcher = lifecycle_node_matcher
        self.transition_id = transition_id


class StateTransition(Event):
    """A lifecycle node has made a transition."""

    name = "launch_ros.events.lifecycle.StateTransition"

    def __init__(self, *, action: Action, msg: Any) -> None:
        """Store the node's action and the lifecycle_msgs/msg/TransitionEvent."""
        self.action = action
        self.msg = msg
        self.timestamp = msg.timestamp
        self.transition = msg.transition.label
        self.start_state = msg.start_state.label
        self.goal_state = msg.goal_state.label
