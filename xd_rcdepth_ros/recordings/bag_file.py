# SPDX-License-Identifier: Apache-2.0
"""A rosbag2 under construction: complete under its own name, or not there at all."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer, WriterError
from typing_extensions import Self

from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.recordings import schema

_STORAGE = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}
# Version 8 of the format is the newest that Humble's rosbag2 reads too.
_BAG_VERSION: Literal[8] = 8


class BagFile:
    """Context manager that writes one rosbag2.

    The bag is written under a hidden temporary name beside its place and appears under its own name
    only when the block ends without an exception; else nothing is left. The log time of each
    message is its stamp.

    Args:
        path: Folder that the bag becomes; must not exist.
        storage: ``mcap`` or ``sqlite3``.
        info: What to remember about the bag (source, split, tags, ...), JSON-like; see
            ``recordings.bags.read_info``.

    Raises:
        RecordingError: The folder exists, cannot be written, or the disk is full.
    """

    def __init__(
        self,
        path: str | Path,
        storage: str = "mcap",
        info: Mapping[str, Any] | None = None,
    ) -> None:
        if storage not in _STORAGE:
            raise RecordingError(f"storage '{storage}' is not known; choose mcap or sqlite3.")
        self.path = Path(path)
        self.info: dict[str, Any] = dict(info or {})
        self._temporary = self.path.parent / f".{self.path.name}.partial"
        self._storage = _STORAGE[storage]
        self._writer: Writer | None = None
        self._connections: dict[str, Connection] = {}
        self._count = 0

    def __enter__(self) -> Self:
        if self.path.exists():
            raise RecordingError(
                f"{self.path} exists already; remove it, or choose another output folder."
            )
        try:
            shutil.rmtree(self._temporary, ignore_errors=True)  # left by a killed process
            self._temporary.mkdir(parents=True)
            # The storage file takes its name from the folder, so the folder has its final name.
            self._writer = Writer(
                self._temporary / self.path.name,
                version=_BAG_VERSION,
                storage_plugin=self._storage,
            )
            self._writer.open()
        except Exception as error:
            self._discard()
            raise RecordingError(f"cannot write a bag at {self.path}: {error}.") from error
        except BaseException:
            self._discard()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is None:
            return
        if error is not None:
            self._discard()
            return
        try:
            self._finish(self._writer)
        except RecordingError:
            self._discard()
            raise
        except Exception as problem:
            self._discard()
            raise RecordingError(f"cannot finish the bag {self.path}: {problem}.") from problem
        except BaseException:
            self._discard()
            raise

    def write(self, topic: str, message: Any, stamp_ns: int) -> None:
        """Append a message of rosbags' types; a topic's first message makes the topic.

        Args:
            topic: Name of the topic.
            message: Message; its ``__msgtype__`` names the type.
            stamp_ns: Log time, nanoseconds.

        Raises:
            RecordingError: The bag is not open, or the disk is full.
        """
        if self._writer is None:
            raise RecordingError(
                f"the bag {self.path} is not open; use the writer in a with block."
            )
        kind = message.__msgtype__
        try:
            connection = self._connections.get(topic)
            if connection is None:
                connection = self._writer.add_connection(
                    topic,
                    kind,
                    typestore=schema.typestore(),
                    offered_qos_profiles=[schema.qos_of(topic)],
                )
                self._connections[topic] = connection
            raw = schema.typestore().serialize_cdr(message, kind)
            self._writer.write(connection, int(stamp_ns), raw)
        except (OSError, WriterError, sqlite3.Error) as error:
            raise RecordingError(
                f"cannot write {topic} into {self.path}: {error}. Is the disk full?"
            ) from error
        self._count += 1

    def _finish(self, writer: Writer) -> None:
        if not self._count:
            raise RecordingError(f"nothing was written into {self.path}; no bag was made.")
        writer.set_custom_data(schema.INFO_KEY, json.dumps(self.info, sort_keys=True))
        writer.close()
        self._writer = None
        (self._temporary / self.path.name).rename(self.path)
        self._temporary.rmdir()

    def _discard(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(Exception):  # the file is removed in the next line anyway
                writer.abort()
        shutil.rmtree(self._temporary, ignore_errors=True)
