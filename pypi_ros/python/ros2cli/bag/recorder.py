# SPDX-License-Identifier: Apache-2.0
"""Recording topics: trivial callbacks, a thread that writes, a bag that appears when complete."""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rclpy.node import Node
from ros2cli.bag.definitions import message_definition
from ros2cli.errors import CommandError
from ros2cli.interfaces import find_interface
from ros2cli.qos import adapted_to_publishers, to_recorded
from rosbags.rosbag2 import StoragePlugin, Writer

_DEPTH = 100


class BagFile:
    """A bag under a temporary name, written by a thread of its own."""

    def __init__(self, path: Path, storage: str) -> None:
        """Open it.

        Args:
            path: Final directory of the bag; must not exist.
            storage: ``mcap`` or ``sqlite3``.

        Raises:
            CommandError: The directory exists or cannot be made.
        """
        if path.exists():
            raise CommandError(f"Output folder '{path}' already exists.")
        self._path = path
        self._unfinished = path.parent / f".{path.name}.unfinished"
        try:
            shutil.rmtree(self._unfinished, ignore_errors=True)
            self._unfinished.mkdir(parents=True)
            self._writer = Writer(
                self._unfinished / path.name,
                version=9,
                storage_plugin=StoragePlugin[storage.upper()],
            )
        except OSError as error:
            raise CommandError(f"cannot write to '{path}': {error}") from error
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.error: Exception | None = None
        self.counts: dict[str, int] = {}
        self._thread = threading.Thread(target=self._write_all)
        self._thread.start()

    def add_topic(self, topic: str, type_name: str, digest: str, offers: list[Any]) -> Callable:
        """Have a topic written.

        Args:
            topic: Its name.
            type_name: Its type.
            digest: Hash of the type (``RIHS01_...``).
            offers: The publishers' QoS.

        Returns:
            A function of (stamp in ns, CDR bytes) that queues a message and returns at once.
        """
        self.counts[topic] = 0
        connections: list[Any] = []

        def add() -> None:
            connections.append(
                self._writer.add_connection(
                    topic,
                    type_name,
                    msgdef=message_definition(type_name),
                    rihs01=digest,
                    offered_qos_profiles=offers,
                )
            )

        def write(stamp_ns: int, data: bytes) -> None:
            self._writer.write(connections[0], stamp_ns, data)
            self.counts[topic] += 1

        put = self._queue.put
        put(add)
        return lambda stamp_ns, data: put(lambda: write(stamp_ns, data))

    def _write_all(self) -> None:
        """Open, fill and close the bag: SQLite wants all of it from one thread."""
        self._try(self._writer.open)
        while (work := self._queue.get()) is not None:
            self._try(work)
        self._try(self._writer.close)

    def _try(self, work: Callable[[], None]) -> None:
        if self.error is not None:
            return
        try:
            work()
        except Exception as error:  # a full disk, for one; the main thread reports it
            self.error = error

    def close(self) -> None:
        """Write what is queued and give the bag its name.

        Raises:
            CommandError: It could not be written; what there is stays under the hidden name.
        """
        self._queue.put(None)
        self._thread.join()
        self._try(self._give_name)
        if self.error is not None:
            raise CommandError(
                f"the bag could not be completed: {self.error}; what was written is in "
                f"'{self._unfinished}'"
            ) from self.error

    def _give_name(self) -> None:
        (self._unfinished / self._path.name).rename(self._path)
        self._unfinished.rmdir()


class Recorder:
    """Finds topics and subscribes to them."""

    def __init__(
        self,
        node: Node,
        bag: BagFile,
        wanted: Callable[[str], bool],
    ) -> None:
        """Make a recorder without topics.

        Args:
            node: The node that subscribes.
            bag: Where the messages go.
            wanted: Whether a topic is to be recorded.
        """
        self._node = node
        self._bag = bag
        self._wanted = wanted
        self._known: set[str] = set()
        self._subscriptions: list[Any] = []

    def look_for_topics(self) -> None:
        """Subscribe to wanted topics that have appeared."""
        for topic, types in self._node.get_topic_names_and_types():
            if topic in self._known or not self._wanted(topic):
                continue
            endpoints = self._node.get_publishers_info_by_topic(topic)
            if not endpoints:
                continue
            self._known.add(topic)
            try:
                if len(types) > 1:
                    raise CommandError(f"it has several types: {', '.join(types)}")
                self._subscribe(topic, types[0], endpoints)
            except CommandError as error:
                self._node.get_logger().warning(f"Topic '{topic}' is not recorded: {error}")

    def _subscribe(self, topic: str, type_name: str, endpoints: list[Any]) -> None:
        message_type = find_interface(type_name)
        qos = adapted_to_publishers(topic, endpoints, _DEPTH)
        digest = f"RIHS01_{bytes(endpoints[0].topic_type_hash.value).hex()}"
        write = self._bag.add_topic(topic, type_name, digest, to_recorded(endpoints))

        def on_message(data: bytes, info: Any) -> None:
            write(info["received_timestamp"] or time.time_ns(), data)

        self._subscriptions.append(
            self._node.create_subscription(message_type, topic, on_message, qos, raw=True)
        )
        self._node.get_logger().info(f"Subscribed to topic '{topic}'")
