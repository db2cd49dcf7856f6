# SPDX-License-Identifier: Apache-2.0
"""Reading ahead keeps the order, passes errors on, and ends with its user."""

from __future__ import annotations

import threading

import pytest

from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.evaluation.prefetch import read_ahead
from xd_rcdepth_ros.recordings.reader import Recording


def alive():
    return [thread for thread in threading.enumerate() if thread.name == "read_ahead"]


def test_items_come_in_order_out_of_another_thread():
    names = []

    def items():
        for number in range(50):
            names.append(threading.current_thread().name)
            yield number

    assert list(read_ahead(items())) == list(range(50))
    assert set(names) == {"read_ahead"}
    assert not alive()


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        raise RecordingError("cut off")

    seen = []
    with pytest.raises(RecordingError, match="cut off"):
        for item in read_ahead(items()):
            seen.append(item)
    assert seen == [1]
    assert not alive()


def test_it_reads_only_a_little_ahead_and_stops_with_its_user():
    taken = []
    reader = read_ahead(iter(lambda: taken.append(0) or len(taken), None), count=2)
    assert next(reader) == 1
    reader.close()
    assert len(taken) <= 5  # one used, two ready, one waiting for room
    assert not alive()


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_recording_can_be_read_by_another_thread(write_drive, tmp_path, storage):
    path = write_drive(tmp_path / "bag", frames=3, storage=storage)
    with Recording(path) as recording:
        first = recording.frame(0)
        ahead = list(read_ahead(recording.frames()))
        assert [frame.stamp_ns for frame in ahead] == recording.stamps_ns()
        assert recording.frame(0).stamp_ns == first.stamp_ns
