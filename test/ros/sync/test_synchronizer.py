# SPDX-License-Identifier: Apache-2.0
"""The camera drives: known cases by hand, and what must hold for every order of messages."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sync_recorder import EVENTS, MS, SyncRecorder

from xd_rcdepth_ros.geometry import sweeps_up_to
from xd_rcdepth_ros.recordings.index import BagIndex, Entry
from xd_rcdepth_ros.ros.sync.core import CameraSynchronizer


class Recorder(SyncRecorder):
    """A camera-driven synchroniser."""

    def __init__(self, radars=("front",), **options):
        defaults = {"window_s": 0.1, "max_wait_s": 0.05}
        super().__init__(CameraSynchronizer, radars, defaults | options)


def test_nearest_sweep_in_the_window_goes_with_the_image():
    r = Recorder()
    for stamp in (900, 960, 1020):
        r.radar(stamp)
    r.image(1000)
    assert r.pairs == [(1000, ("front 1020",))]  # later than the image, inside the window
    r.image(1130)  # 110 ms after the newest sweep: waits
    assert len(r.pairs) == 1 and r.sync.pending == 1
    r.radar(1125)
    assert r.pairs[1] == (1130, ("front 1125",))


def test_history_gives_older_sweeps_newest_first():
    r = Recorder(sweeps=3)
    for stamp in (700, 800, 880, 960):
        r.radar(stamp)
    r.image(1000)
    assert r.pairs == [(1000, ("front 960", "front 880", "front 800"))]


def test_history_does_not_reach_across_a_gap():
    r = Recorder(sweeps=3)
    for stamp in (440, 960):  # 520 ms between them, more than MAX_SWEEP_GAP_NS
        r.radar(stamp)
    r.image(1000)
    assert r.pairs == [(1000, ("front 960",))]


def test_waits_for_late_radar_no_longer_than_stated():
    r = Recorder()
    r.image(1000)
    r.pass_time(49)
    assert r.pairs == []
    r.pass_time(2)
    assert r.pairs == [(1000, ())]
    assert r.matches[0].missing == ("front",)


def test_an_image_that_need_not_wait_takes_the_older_ones_along():
    r = Recorder()
    r.image(1000)
    r.image(1110)
    r.radar(1150)  # fits the second only
    assert r.pairs == [(1000, ()), (1110, ("front 1150",))]


def test_without_radars_every_image_leaves_at_once():
    r = Recorder(radars=())
    r.image(1000)
    assert r.pairs == [(1000, ())] and r.matches[0].missing == ()


@pytest.mark.parametrize(
    ("policy", "sweep_ms", "pairs", "held", "drops"),
    [
        ("image_only", 700, [(1000, ())], (), []),
        ("hold", 700, [(1000, ("front 700",))], ("front",), []),
        ("hold", 400, [(1000, ())], (), []),  # older than hold_s
        ("skip", 700, [], (), [(1000, "no_radar")]),
    ],
)
def test_policy_without_radar(policy, sweep_ms, pairs, held, drops):
    r = Recorder(on_missing_radar=policy, hold_s=0.5)
    r.radar(sweep_ms)
    r.image(1000)
    r.pass_time(60)
    assert (r.pairs, r.drops) == (pairs, drops)
    if pairs:
        assert r.matches[0].held == held


def test_one_radar_of_two_is_enough_after_the_wait():
    r = Recorder(radars=("front", "left"), on_missing_radar="skip")
    r.radar(990, "left")
    r.image(1000)
    assert r.pairs == []
    r.pass_time(60)
    assert r.pairs == [(1000, ("left 990",))]
    assert r.matches[0].missing == ("front",)


def test_duplicates_and_reordered_images_are_counted():
    r = Recorder(radars=())
    for stamp in (1000, 1000, 1100, 1050, 1200):
        r.image(stamp)
    assert [stamp for stamp, _ in r.pairs] == [1000, 1100, 1200]
    assert r.drops == [(1000, "duplicate"), (1050, "out_of_order")]


def test_time_jump_drops_what_waits_and_starts_anew():
    r = Recorder()
    r.radar(5000)
    r.image(5200)  # waits
    r.radar(100)
    assert (r.drops, r.resets) == ([(5200, "time_reset")], 1)
    r.image(150)
    r.pass_time(60)
    assert r.pairs == [(150, ("front 100",))]
    counts = r.sync.counts()
    assert counts.resets == 1 and counts.sweeps_unused["front", "time_reset"] == 1


def test_three_loops_of_a_recording_give_equal_numbers_of_pairs():
    """Rates and window where a full-set synchroniser loses most pairs of the second loop."""
    r = Recorder(window_s=0.02)
    complete = r.play_three_loops()
    assert complete[0] == 86  # 3 of 7 image stamps lie within 20 ms of a radar stamp
    assert max(complete) - min(complete) <= 1


def test_a_stamp_from_the_future_costs_one_reset():
    r = Recorder(radars=())
    for stamp in (1000, 1100, 99_000_000, 1200, 1300):
        r.image(stamp)
    assert [stamp for stamp, _ in r.pairs] == [1000, 1100, 99_000_000, 1200, 1300]
    assert r.resets == 1


def test_more_waiting_images_than_allowed_push_the_oldest_out():
    r = Recorder(max_pending=2)
    for stamp in (1000, 1100, 1200):
        r.image(stamp)
    assert r.pairs == [(1000, ())] and r.sync.pending == 2


@settings(deadline=None, max_examples=300)
@given(
    events=EVENTS,
    policy=st.sampled_from(["image_only", "hold", "skip"]),
    sweeps=st.integers(1, 3),
    window_s=st.sampled_from([0.02, 0.1, 0.4]),
)
def test_every_message_is_accounted_for(events, policy, sweeps, window_s):
    r = Recorder(("front", "left"), on_missing_radar=policy, sweeps=sweeps, window_s=window_s)
    for event in events:
        r.play(event)
    assert r.accounted().images_in == sum(kind == "image" for kind, _ in events)


@settings(deadline=None, max_examples=300)
@given(events=EVENTS, sweeps=st.integers(1, 3))
def test_every_match_keeps_its_promises(events, sweeps):
    r = Recorder(("front", "left"), sweeps=sweeps)
    arrived: dict[str, set[int]] = {"front": set(), "left": set()}
    last_ms, resets = -1, 0
    for event in events:
        before = len(r.matches)
        if event[0] in arrived:
            arrived[event[0]].add(event[1])
        r.play(event)
        if r.resets > resets or event[0] == "clear":
            last_ms, resets = -1, r.resets
        for match in r.matches[before:]:
            stamp_ms = match.stamp_ns // MS
            assert stamp_ms > last_ms  # in order, none twice
            last_ms = stamp_ms
            stamps = [sweep.stamp_ns for sweep in match.sweeps]
            assert stamps == sorted(stamps, reverse=True)
            for radar in ("front", "left"):
                own = [s.stamp_ns // MS for s in match.sweeps if s.radar == radar]
                assert len(own) <= sweeps and set(own) <= arrived[radar]
                assert (radar in match.missing) == (not own)
                if own:
                    assert abs(own[0] - stamp_ms) <= 100
        # No image waits longer than stated once the clock was asked.
        if event[0] == "time" and event[1] > 50:
            assert r.sync.pending == 0


@settings(deadline=None, max_examples=200)
@given(
    radar=st.lists(st.integers(1, 2000), min_size=1, max_size=30, unique=True).map(sorted),
    image_ms=st.integers(1, 2000),
    sweeps=st.integers(1, 4),
)
def test_the_same_sweeps_are_chosen_as_offline(radar, image_ms, sweeps):
    r = Recorder(time_jump_s=10.0, hold_s=2.0, sweeps=sweeps)
    for stamp in radar:
        r.radar(stamp)
    r.image(image_ms)
    r.pass_time(60)
    index = BagIndex(entries={"/radar": [Entry("/radar", 0, ms * MS, "") for ms in radar]})
    nearest = index.nearest("/radar", image_ms * MS, 100 * MS)
    chosen = [] if nearest is None else sweeps_up_to(index.stamps("/radar"), nearest, sweeps)
    assert r.pairs == [(image_ms, tuple(f"front {radar[i]}" for i in chosen))]


def play_at_rates(camera_ms, radar_ms, delay_ms, seconds=14, **options):
    """Play a camera and a radar whose sweeps come a little late; return (matches, waited_ms)."""
    r = Recorder(**options)
    events = [(ms, 0, "image", ms) for ms in range(camera_ms, 1000 * seconds, camera_ms)]
    events += [(ms + delay_ms, 1, "radar", ms) for ms in range(radar_ms, 1000 * seconds, radar_ms)]
    waited_ms, now_ms = [], 0
    for at_ms, _, kind, stamp in sorted(events):
        while now_ms < at_ms:  # the node polls each 10 ms while an image waits
            step = min(10, at_ms - now_ms)
            now_ms += step
            r.pass_time(step)
        before = len(r.matches)
        getattr(r, kind)(stamp)
        waited_ms += [1000 * (r.now_s - m.arrived_s) for m in r.matches[before:]]
    return r.matches, waited_ms


def test_equal_stamps_image_first_takes_the_sweep_of_the_image():
    """Camera and radar at 15 Hz with equal stamps: 208 of 210 images took the sweep before."""
    matches, waited_ms = play_at_rates(67, 67, delay_ms=5)
    offsets = [(m.sweeps[0].stamp_ns - m.stamp_ns) // MS for m in matches if m.sweeps]
    assert len(matches) > 200 and offsets == [0] * len(matches)
    assert max(waited_ms) < 6


def test_only_images_whose_nearest_sweep_is_to_come_wait():
    """30 Hz camera, 13 Hz radar: all take the nearest sweep, and many need not wait for it."""
    matches, waited_ms = play_at_rates(33, 77, delay_ms=8)
    for match in matches[3:-3]:
        offset_ms = (match.sweeps[0].stamp_ns - match.stamp_ns) / MS
        assert abs(offset_ms) <= 77 / 2
    assert sum(ms == 0 for ms in waited_ms) > 0.4 * len(waited_ms)
    assert max(waited_ms) < 51


def test_a_sweep_that_is_measured_too_long_after_the_image_is_not_waited_for():
    """30 Hz camera, 13 Hz radar: 10 ms and the radar's delay are the longest wait."""
    matches, waited_ms = play_at_rates(33, 77, delay_ms=8, max_lead_s=0.01)
    # The first images come before the radar's period is known.
    for match in matches[6:-3]:
        offset_ms = (match.sweeps[0].stamp_ns - match.stamp_ns) / MS
        assert -77 + 10 < offset_ms <= 10
    assert max(waited_ms[6:]) <= 10 + 8
    assert sum(ms == 0 for ms in waited_ms) > 0.75 * len(waited_ms)


def test_a_sweep_that_comes_after_the_wait_is_not_waited_for():
    """The radar's driver takes 90 ms: the sweep of the image itself comes too late in any case."""
    matches, waited_ms = play_at_rates(100, 100, delay_ms=90, window_s=0.2)
    assert all(m.sweeps[0].stamp_ns - m.stamp_ns == -100 * MS for m in matches[3:])
    assert max(waited_ms[3:]) == 0
    assert max(play_at_rates(100, 100, delay_ms=30, window_s=0.2)[1]) == pytest.approx(30)


def test_a_radar_that_stops_delays_images_no_longer_than_stated():
    r = Recorder(window_s=0.4)
    for stamp in range(100, 1100, 100):
        r.pass_time(100)
        r.radar(stamp)
    r.pass_time(95)
    r.image(1095)  # the next sweep, of 1100, would be nearer
    assert r.sync.pending == 1
    r.pass_time(51)
    assert r.pairs == [(1095, ("front 1000",))]


def test_stamp_zero_is_not_set_and_no_new_beginning():
    """zero_stamp_radar: the sweep is counted by its own reason; images and history stay."""
    r = Recorder()
    for stamp in (900, 950):
        r.radar(stamp)
    r.radar(0)
    r.image(960)
    r.image(0)
    assert r.pairs == [(960, ("front 950",))]
    assert (r.drops, r.resets) == ([(0, "no_stamp")], 0)
    assert r.accounted().sweeps_unused == {("front", "no_stamp"): 1}


def test_a_match_says_how_far_the_newest_sweep_is():
    """radar_clock_offset: what differs is known, so that it can be said."""
    r = Recorder(("front", "left"))
    r.radar(1000)
    r.image(1_795_000_000)
    r.pass_time(60)
    (match,) = r.matches
    assert match.missing == ("front", "left")
    assert match.newest_s == {"front": pytest.approx(-1_794_999.0)}
