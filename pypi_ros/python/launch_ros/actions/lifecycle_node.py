# SPDX-License-Identifier: Apache-2.0
"""Running a lifecycle node, and moving it through its states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch import EventHandler, LaunchContext, SomeSubstitutionsType, logging
from launch.actions import EmitEvent, OpaqueFunction, RegisterEventHandler
from launch.events import matches_action

from ..events.lifecycle import ChangeState, StateTransition
from .node import Node

if TYPE_CHECKING:
    from launch import LaunchDescriptionEntity

_CONFIGURE, _ACTIVATE = 1, 3  # lifecycle_msgs/msg/Transition


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

    @property
    def node_autostart(self) -> bool:
        """Whether it is configured and activated once started."""
        return self._autostart

    @property
    def is_lifecycle_node(self) -> bool:
        """True: it has managed states."""
        return True

    def execute(self, context: LaunchContext) -> Any:
        """Start the node, connect to its transitions, begin the automatic start."""
        super().execute(context)
        if context.is_shutdown:
            return None
        from lifecycle_msgs.msg import TransitionEvent
        from lifecycle_msgs.srv import ChangeState as ChangeStateService

        from ..ros_adapters import get_ros_node

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
                entities=OpaqueFunction(function=self._on_change_state),
            )
        )
        return self._autostart_entities() if self._autostart else None

    def _autostart_entities(self) -> list[LaunchDescriptionEntity]:
        from ..event_handlers import OnStateTransition

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
                    entities=[change(_ACTIVATE)],
                    handle_once=True,
                )
            ),
            change(_CONFIGURE),
        ]

    def _on_change_state(self, context: LaunchContext) -> None:
        task = context.asyncio_loop.create_task(  # type: ignore[union-attr]
            self._change_state(context, context.locals.event.transition_id)
        )
        context.add_completion_future(task)

    async def _change_state(self, context: LaunchContext, transition_id: int) -> None:
        """Call the service as soon as it is there; give up when the launch or node ends."""
        import asyncio

        from lifecycle_msgs.srv import ChangeState as ChangeStateService

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
