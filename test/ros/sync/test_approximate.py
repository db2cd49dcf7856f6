# SPDX-License-Identifier: Apache-2.0
"""message_filters' own synchroniser under guard, and both ways as a filter among filters."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.ros
pytest.importorskip("message_filters", reason="message_filters cannot be imported")
pytest.importorskip("rclpy", reason="ROS is not built here: rclpy cannot be imported")

from message_filters import ApproximateTimeSynchronizer, SimpleFilter  # noqa: E402
from sync_recorder import EVENTS, MS, SyncRecorder  # noqa: E402

from xd_rcdepth_ros.ros.conversions import ns_to_stamp  # noqa: E402
from xd_rcdepth_ros.ros.sync import filter as sync_filter  # noqa: E402
from xd_rcdepth_ros.ros.sync.core import SyncSettings  # noqa: E402
from xd_rcdepth_ros.ros.sync.filter import (  # noqa: E402
    POLICIES,
    QUEUE_SIZE,
    ApproximateSynchronizer,
    SynchronizerFilter,
)


class Recorder(SyncRecorder):
    """An approximate synchroniser."""

    def __init__(self, radars=("front",), **options):
        defaults = {"window_s": 0.05, "max_wait_s": 0.1}
        super().__init__(ApproximateSynchronizer, radars, defaults | options)


def test_a_full_set_within_the_window_leaves_whichever_came_last():
    r = Recorder(("front", "left"))
    r.radar(1010)
    r.image(1000)
    assert r.pairs == []
    r.radar(990, "left")
    assert r.pairs == [(1000, ("front 1010", "left 990"))]
    assert (r.matches[0].missing, r.matches[0].held) == ((), ())
    assert r.accounted().complete == 1


@pytest.mark.parametrize(
    ("policy", "pairs", "drops"),
    [("image_only", [(1000, ())], []), ("skip", [], [(1000, "no_radar")])],
)
def test_an_image_without_a_full_set_waits_as_long_as_stated(policy, pairs, drops):
    r = Recorder(("front", "left"), on_missing_radar=policy)
    r.image(1000)
    r.radar(1010)
    r.pass_time(99)
    assert r.pairs == [] and r.sync.pending == 1
    r.pass_time(2)
    assert (r.pairs, r.drops, r.sync.pending) == (pairs, drops, 0)
    r.radar(1000, "left")  # too late for that image; it must not be used up by it
    r.image(1030)
    assert r.pairs[len(pairs) :] == [(1030, ("front 1010", "left 1000"))]
    r.accounted()


def test_without_radars_every_image_leaves_at_once():
    r = Recorder((), on_missing_radar="skip")
    r.image(1000)
    assert r.pairs == [(1000, ())] and r.accounted().complete == 1


def test_images_leave_in_the_order_of_their_stamps():
    r = Recorder()
    r.image(1000)
    r.image(1100)
    r.radar(1090)  # fits the second only
    assert r.pairs == [(1000, ()), (1100, ("front 1090",))]
    r.image(1100)
    r.image(1050)
    assert r.drops == [(1100, "duplicate"), (1050, "out_of_order")]
    r.accounted()


def test_sweeps_that_nothing_fits_are_counted():
    r = Recorder()
    for number in range(QUEUE_SIZE + 5):
        r.radar(1000 + 10 * number)
    r.radar(1000 + 10 * (QUEUE_SIZE + 4))
    counts = r.accounted()
    assert counts.sweeps_unused == {("front", "superseded"): 5, ("front", "duplicate"): 1}
    r.sync.clear("deactivated")
    assert r.accounted().sweeps_unused["front", "deactivated"] == QUEUE_SIZE


def test_three_loops_of_a_recording_give_equal_numbers_of_pairs():
    r = Recorder(window_s=0.02)
    complete = r.play_three_loops()
    assert complete[0] > 80
    assert max(complete) - min(complete) <= 1
    assert r.resets == 2


class FakeFaultySets(ApproximateTimeSynchronizer):
    """Breaks under its lock at a certain message, as a fault in it would: then it is stuck."""

    bad_ms = 1100

    def add(self, msg, my_queue, my_queue_index=None):
        self.lock.acquire()  # kept for good by the error below
        stamp = msg.header.stamp
        if stamp.sec * 1000 + stamp.nanosec // MS == self.bad_ms:
            raise KeyError("broken")
        self.lock.release()
        super().add(msg, my_queue, my_queue_index)


def test_a_fault_of_the_filter_costs_what_waits_and_no_more(monkeypatch):
    monkeypatch.setattr(sync_filter.message_filters, "ApproximateTimeSynchronizer", FakeFaultySets)
    r = Recorder()
    r.image(1000)
    with pytest.raises(KeyError, match="broken"):
        r.image(1100)
    assert r.drops == [(1000, "synchronizer_error"), (1100, "synchronizer_error")]
    r.radar(1200)
    r.image(1210)
    assert r.pairs == [(1210, ("front 1200",))]
    r.accounted()


@settings(deadline=None, max_examples=150)
@given(
    events=EVENTS,
    policy=st.sampled_from(["image_only", "skip"]),
    window_s=st.sampled_from([0.02, 0.1, 0.4]),
)
def test_every_message_is_accounted_for_and_every_set_keeps_its_promises(events, policy, window_s):
    r = Recorder(("front", "left"), on_missing_radar=policy, window_s=window_s)
    last_ms, resets = -1, 0
    for event in events:
        before = len(r.matches)
        r.play(event)
        if r.resets > resets or event[0] == "clear":
            last_ms, resets = -1, r.resets
        for match in r.matches[before:]:
            assert match.stamp_ns // MS > last_ms
            last_ms = match.stamp_ns // MS
            stamps = [match.stamp_ns, *(sweep.stamp_ns for sweep in match.sweeps)]
            assert max(stamps) - min(stamps) < window_s * 1e9
            assert {s.radar for s in match.sweeps} in (set(), {"front", "left"})
            assert set(match.missing) == (set() if match.sweeps else {"front", "left"})
        r.accounted()


def message(stamp_ms):
    return SimpleNamespace(header=SimpleNamespace(stamp=ns_to_stamp(stamp_ms * MS)), name=stamp_ms)


@pytest.fixture(params=sorted(POLICIES))
def chain(request):
    """A synchroniser among filters: images and one radar in."""
    images, radar = SimpleFilter(), SimpleFilter()
    now_s = [0.0]
    chain = SimpleNamespace(images=images, radar=radar, now_s=now_s, drops=[])
    chain.sync = SynchronizerFilter(
        request.param,
        ("front",),
        SyncSettings(window_s=0.05, max_wait_s=0.05),
        lambda stamp_ns, reason: chain.drops.append(reason),
        clock=lambda: now_s[0],
    )
    chain.sync.connectInput(images, {"front": radar})
    return chain


def test_it_is_a_filter_among_filters(chain):
    seen = []
    chain.sync.registerCallback(lambda match, word: seen.append((match, word)), "word")
    chain.radar.signalMessage(message(890))
    chain.radar.signalMessage(message(990))
    chain.images.signalMessage(message(1000))
    ((match, word),) = seen
    assert word == "word"
    assert match.image.name == 1000 and [s.payload.name for s in match.sweeps] == [990]
    chain.images.signalMessage(message(1200))
    assert chain.sync.core.pending == 1
    chain.now_s[0] += 0.06
    chain.sync.core.poll(chain.now_s[0])
    assert [m.stamp_ns // MS for m, _ in seen] == [1000, 1200] and chain.sync.core.pending == 0
    chain.images.signalMessage(message(1300))
    chain.sync.core.clear("deactivated")
    assert chain.drops == ["deactivated"] and chain.sync.core.counts().images_in == 3


def test_a_callback_that_raises_stops_nobody(chain):
    seen = []

    def fail(match):
        raise RuntimeError("mine")

    chain.sync.registerCallback(fail)
    chain.sync.registerCallback(seen.append)
    for stamp in (1000, 1200, 1400):
        chain.radar.signalMessage(message(stamp))
        with pytest.raises(RuntimeError, match="mine"):
            chain.images.signalMessage(message(stamp))
    assert len(seen) == 3 and chain.sync.core.counts().complete == 3


def test_callbacks_hold_no_lock(chain):
    """A callback waits for another thread that uses the same synchroniser."""
    answers = []

    def ask(match):
        def use():
            chain.radar.signalMessage(message(5000))
            answers.append(chain.sync.core.pending)

        thread = threading.Thread(target=use, daemon=True)
        thread.start()
        thread.join(5)

    chain.sync.registerCallback(ask)
    chain.radar.signalMessage(message(1000))
    chain.images.signalMessage(message(1000))
    assert answers == [0]


def test_settings_hold_from_the_next_message(chain):
    seen = []
    chain.sync.registerCallback(seen.append)
    chain.radar.signalMessage(message(1100))
    chain.sync.core.settings = SyncSettings(window_s=0.2, max_wait_s=0.05)
    assert chain.sync.core.settings.window_s == 0.2
    chain.images.signalMessage(message(1000))
    assert len(seen) == 1 and seen[0].missing == ()
