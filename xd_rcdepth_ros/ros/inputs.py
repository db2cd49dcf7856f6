# SPDX-License-Identifier: Apache-2.0
"""Subscriptions that say why they are silent: wrong topic, wrong type, or incompatible QoS."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import message_filters
from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
    qos_policy_name_from_kind,
)
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

from xd_rcdepth_ros.ros.accounting import Complaints, Recent

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks


# What users may override by qos_overrides.
_OVERRIDABLE = (
    QoSPolicyKind.HISTORY,
    QoSPolicyKind.DEPTH,
    QoSPolicyKind.RELIABILITY,
    QoSPolicyKind.DURABILITY,
)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def sensor_qos(depth: int) -> QoSProfile:
    """Return best-effort QoS, which receives from reliable and best-effort publishers alike."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.VOLATILE,
    )


@dataclass
class InputState:
    """What is known of one input.

    Attributes:
        name: What it is for, such as ``image`` or ``radar front``.
        topic: Full name of its topic.
        type_name: Its message type, ``package/msg/Name``.
        opened_s: Wall time at which the subscription was made, seconds.
        last_s: Wall time of the last message, seconds; None if none came.
        received: Messages so far.
        latched: Whether a message that was published once, for all that listen later, has come.
        incompatible: Names of QoS policies by which publishers do not fit.
        arrivals_s: Wall times of the last messages.
    """

    name: str
    topic: str
    type_name: str
    opened_s: float
    last_s: float | None = None
    received: int = 0
    latched: bool = False
    incompatible: set[str] = field(default_factory=set)
    arrivals_s: Recent = field(default_factory=Recent)

    def silent_s(self, now_s: float) -> float:
        """Return for how long nothing has come that should have, seconds."""
        if self.latched:
            return 0.0
        return now_s - (self.opened_s if self.last_s is None else self.last_s)


class Inputs:
    """Subscriptions of a node.

    Args:
        node: The node.
        complain: Says what is wrong, once a cause.
        clock: Wall clock that never goes back, seconds.
    """

    def __init__(
        self, node: Node, complain: Complaints, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._node, self._complain, self._clock = node, complain, clock
        self._filters: list[message_filters.Subscriber] = []
        self._latched: dict[str, Subscription[Any]] = {}
        self.states: list[InputState] = []

    def open(
        self, name: str, message_type: type, topic: str, callback: Callable[[Any], None], depth: int
    ) -> None:
        """Subscribe to a topic.

        Args:
            name: What the input is for, for people.
            message_type: Class of the messages.
            topic: Name of the topic.
            callback: Called with each message; must be quick.
            depth: Messages that may wait in the middleware.
        """
        full = self._node.resolve_topic_name(topic)
        package, *_, kind = message_type.__module__.split(".")[0], message_type.__name__
        state = InputState(name, full, f"{package}/msg/{kind}", self._clock())

        def incompatible(event: Any) -> None:
            policy = qos_policy_name_from_kind(event.last_policy_kind)
            state.incompatible.add(policy)
            self._complain(
                f"a publisher on topic '{full}' offers QoS that this node's subscription cannot "
                f"take; policy: {policy}. Its messages will not arrive. Change the publisher, or "
                f"set qos_overrides.{full}.subscription.*.",
            )

        subscriber = message_filters.Subscriber(
            self._node,
            message_type,
            topic,
            qos_profile=sensor_qos(depth),
            event_callbacks=SubscriptionEventCallbacks(incompatible_qos=incompatible),
            qos_overriding_options=QoSOverridingOptions(_OVERRIDABLE),
        )
        subscriber.registerCallback(partial(self._take, state, callback))
        self._filters.append(subscriber)
        self.states.append(state)

    def _take(self, state: InputState, callback: Callable[[Any], None], message: Any) -> None:
        state.last_s = self._clock()
        state.received += 1
        state.arrivals_s.add(state.last_s)
        try:
            callback(message)
        except Exception as error:  # one message must not end the node
            self._complain(
                f"message on '{state.topic}' left out: {type(error).__name__}: {error}", "error"
            )

    def hear_latched(self, name: str, message_type: type, callback: Callable[[Any], None]) -> None:
        """Subscribe once more to an input that was published latched before the node started.

        A volatile subscription hears every publisher but not what came before. One that is
        transient local hears that, but not volatile publishers, and these log a warning: so it is
        made only where nothing has come and a publisher is known to be transient local.

        Args:
            name: Name of the open input.
            message_type: Class of the messages.
            callback: Called with the first message, unless the input has received one.
        """
        state = next(state for state in self.states if state.name == name)
        if state.received or name in self._latched:
            return
        publishers = self._node.get_publishers_info_by_topic(state.topic)
        durabilities = {publisher.qos_profile.durability for publisher in publishers}
        if DurabilityPolicy.TRANSIENT_LOCAL not in durabilities:
            return

        def take_first(message: Any) -> None:
            state.latched = True
            if state.received == 0:
                self._take(state, callback, message)

        self._latched[name] = self._node.create_subscription(
            message_type,
            state.topic,
            take_first,
            LATCHED,
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
        )

    def close(self) -> None:
        """End all subscriptions."""
        for subscription in self._latched.values():
            self._node.destroy_subscription(subscription)
        self._latched.clear()
        for subscriber in self._filters:
            self._node.destroy_subscription(subscriber.sub)
        self._filters.clear()
        self.states.clear()

    def complain_of_silence(self, timeout_s: float) -> None:
        """Say which inputs have been silent for longer than a time, and why that may be."""
        now_s = self._clock()
        for state in self.states:
            silent_s = state.silent_s(now_s)
            if silent_s >= timeout_s:
                self._complain(
                    f"no data for {silent_s:.1f} s on topic '{state.topic}' ({state.name}), "
                    f"{self._publishers(state)}",
                )

    def _publishers(self, state: InputState) -> str:
        infos = self._node.get_publishers_info_by_topic(state.topic)
        if not infos:
            return "0 publishers: check the topic's name, remappings and the domain id."
        kinds = sorted({info.topic_type for info in infos} - {state.type_name})
        text = f"{len(infos)} publishers"
        if kinds:
            return f"{text}, but of type {', '.join(kinds)} instead of {state.type_name}."
        if state.incompatible:
            return f"{text}; QoS does not fit by policy {', '.join(sorted(state.incompatible))}."
        return f"{text}: the source has stopped, or its messages are lost on the way."


def image_topic(node: Node, transport: str) -> str:
    """Return the topic of the images, as image_transport derives it from the base topic.

    Args:
        node: The node; remappings of ``image`` and of ``image/compressed`` both count.
        transport: ``raw`` or ``compressed``.
    """
    if transport == "raw":
        return "image"
    direct = node.resolve_topic_name("image/compressed")
    if direct != node.resolve_topic_name("image/compressed", only_expand=True):
        return "image/compressed"
    base = node.resolve_topic_name("image")
    return base if base.endswith("/compressed") else f"{base}/compressed"
