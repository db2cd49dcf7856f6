# SPDX-License-Identifier: Apache-2.0
"""Bags as other recorders write them."""

from pathlib import Path

import pytest
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer

_STAMPED = ("CompressedImage", "Image", "CameraInfo", "PointCloud2")


@pytest.fixture
def copy_without_stamps():
    """Return a copier of bags that leaves header stamps at 0; log times stay.

    It takes the bag, the copy's folder, and the topics (all of sensors if None).
    """

    def copy(bag: Path, out: Path, topics=None) -> Path:
        with (
            AnyReader([bag]) as reader,
            Writer(out, version=8, storage_plugin=StoragePlugin.MCAP) as writer,
        ):
            written = {}
            for connection, log_ns, raw in reader.messages():
                topic, kind = connection.topic, connection.msgtype
                if topic not in written:
                    written[topic] = writer.add_connection(topic, kind, typestore=reader.typestore)
                data = bytes(raw)
                if topic in topics if topics else kind.rpartition("/")[2] in _STAMPED:
                    data = data[:4] + bytes(8) + data[12:]
                writer.write(written[topic], log_ns, data)
        return out

    return copy
