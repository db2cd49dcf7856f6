# SPDX-License-Identifier: Apache-2.0
"""Running a lifecycle node, and moving it through its states."""

from __future__ import annotations

import asyncio
from typing import Any

from launch import (
    EventHandler,
    LaunchContext,
    LaunchDescriptionEntity,
    SomeSubstitutionsType,
    logging,
)
from launch.actions import EmitEvent, RegisterEventHandler
from launch.events import matches_action
from launch_ros.actions.node import Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState, StateTransition
from launch_ros.ros_adapters import get_ros_node
from lifecycle_msgs.msg import Transition, TransitionEvent
from lifecycle_msgs.srv import ChangeState as ChangeStateService


class LifecycleNode(Node):
    """Starts a lifecycle node and connects the launch to its transitions.

    Its transitions are emitted as StateTransition events, and ChangeState events addressed to it
    call its ``change_state`` service.
    """

    def __init__(
        self,
        *,
        name: SomeSubstitutionsType,
        namespace: SomeSubstitutionsType,
        autostart: bool = False,
        **kwargs: Any,
    ) -> None:
        """Describe the node.

        Args:
            name: The node's name (mandatory here).
            namespace: The node's namespace (mandatory here; may be empty).
            autostart: Whether it is configured and activated once started.
            **kwargs: What Node takes.
        """
        super().__init__(name=name, namespace=namespace, **kwargs)
        self._autostart = autostart
        self._client: Any = None
        self._subscription: Any = None

    def execute(self, context: LaunchContext) -> Any:
        """Start the node, connect to its transitions, begin the automatic start."""
        super().execute(context)
        if context.is_shutdown:
            return None
        loop = context.asyncio_loop
        assert loop is not None

        def on_transition(message: Any) -> None:
            event = StateTransition(action=self, msg=message)
            loop.call_soon_threadsafe(context.emit_event_sync, event)

        ros_node = get_ros_node(context)
        self._client = ros_node.create_client(ChangeStateService, f"{self.node_name}/change_state")
        self._subscription = ros_node.create_subscription(
            TransitionEvent, f"{self.node_name}/transition_event", on_transition, 10
        )
        context.register_event_handler(
            EventHandler(
                matcher=lambda event: (
                    isinstance(event, ChangeState) and event.lifecycle_node_matcher(self)
                ),
                entities=self._on_change_state,
            )
        )
        return self._autostart_entities() if self._autostart else None

    def _autostart_entities(self) -> list[LaunchDescriptionEntity]:
        def change(transition_id: int) -> EmitEvent:
            return EmitEvent(
                event=ChangeState(
                    lifecycle_node_matcher=matches_action(self), transition_id=transition_id
                )
            )

        return [
            RegisterEventHandler(
                OnStateTransition(
                    target_lifecycle_node=self,
                    start_state="configuring",
                    goal_state="inactive",
                    entities=[change(Transition.TRANSITION_ACTIVATE)],
                    handle_once=True,
                )
            ),
            change(Transition.TRANSITION_CONFIGURE),
        ]

    def _on_change_state(self, event: Any, context: LaunchContext) -> None:
        assert context.asyncio_loop is not None
        task = context.asyncio_loop.create_task(self._change_state(context, event.transition_id))
        context.add_completion_future(task)

    async def _change_state(self, context: LaunchContext, transition_id: int) -> None:
        """Call the service as soon as it is there; give up when the launch or node ends."""

        def over() -> bool:
            return context.is_shutdown or self._finished is None or self._finished.done()

        logger = logging.get_logger("launch_ros")
        while not self._client.service_is_ready():
            if over():
                return
            await asyncio.sleep(0.05)
        request = ChangeStateService.Request()
        request.transition.id = transition_id
        future = self._client.call_async(request)
        while not future.done():
            if over():
                return
            await asyncio.sleep(0.02)
        if not future.result().success:
            logger.error(f"transition {transition_id} of lifecycle node {self.node_name} failed")
