# SPDX-License-Identifier: Apache-2.0
"""Ledger, complaints and the newest-only worker: plain threads, no ROS."""

from __future__ import annotations

import math
import threading
import time

from xd_rcdepth_ros.ros.accounting import Complaints, FrameLedger, Recent
from xd_rcdepth_ros.ros.worker import NewestWorker


def test_ledger_balances():
    ledger = FrameLedger()
    for _ in range(5):
        ledger.received()
    ledger.published()
    ledger.dropped("newer_frame")
    ledger.dropped("bad_image")
    ledger.event("bad_radar_messages", 3)
    state = ledger.state()
    assert (state.frames_in, state.frames_out, state.in_flight) == (5, 1, 2)
    assert state.drops == {"newer_frame": 1, "bad_image": 1}
    assert state.events == {"bad_radar_messages": 3}
    ledger.reset()
    assert ledger.state().frames_in == 0


def test_recent_percentiles_and_rates():
    recent = Recent(size=100)
    assert math.isnan(recent.percentile(50))
    for value in range(1, 201):  # the first 100 are forgotten
        recent.add(value)
    assert recent.percentile(50) == 150.5
    times = Recent()
    for t in (0.0, 6.0, 7.0, 8.0, 9.0, 10.0):
        times.add(t)
    assert times.rate_hz(10.0, span_s=5.0) == 1.0


def test_a_complaint_is_made_once_then_summed_up():
    said, now_s = [], [0.0]
    complain = Complaints(lambda level, text: said.append((level, text)), 10.0, lambda: now_s[0])
    for stamp_s in (1.5, 2.5, -3e-7, 4):
        complain(f"no transform at {stamp_s} s from radar_1")
    complain("no transform at 1.5 s from radar_2")
    complain("bad image", "error")
    assert said == [
        ("warning", "no transform at 1.5 s from radar_1"),
        ("warning", "no transform at 1.5 s from radar_2"),
        ("error", "bad image"),
    ]
    now_s[0] = 11.0
    complain("no transform at 9 s from radar_1")
    assert said[-1] == ("warning", "no transform at 9 s from radar_1 (3 more since)")


def test_complaints_of_ever_new_kinds_do_not_fill_the_log():
    said, now_s = [], [0.0]
    complain = Complaints(lambda level, text: said.append(text), 10.0, lambda: now_s[0], most=5)
    for letter in "abcdefghijklmnopqrstuvwxyz":
        complain(f"encoding {letter}")
    assert len(said) == 5
    now_s[0] = 11.0
    complain("encoding z")
    assert said[-1] == "encoding z (1 more since)"


def test_what_was_complained_of_lately_is_known_for_diagnostics():
    now_s, logged = [0.0], []
    complain = Complaints(lambda *item: logged.append(item), 10.0, lambda: now_s[0])
    complain("the lens is undistorted", "info")
    complain("no stamp in sweep 1", once=True)
    now_s[0] = 6.0
    complain("no stamp in sweep 2", once=True)
    complain("bad image", "error")
    assert complain.recent() == [("warning", "no stamp in sweep 2"), ("error", "bad image")]
    now_s[0] = 15.0
    complain("no stamp in sweep 3", once=True)
    assert [text for _, text in complain.recent()] == ["no stamp in sweep 3", "bad image"]
    now_s[0] = 25.1
    assert complain.recent() == []
    complain("no stamp in sweep 4", once=True)
    assert [level for level, _ in logged] == ["info", "warning", "error"]  # once, however often


class Work:
    """A worker whose work waits until the test lets it go on."""

    def __init__(self):
        self.done, self.dropped, self.failed = [], [], []
        self.started, self.go_on = threading.Semaphore(0), threading.Semaphore(0)
        self.worker = NewestWorker("test", self._work, self._drop, self._fail)

    def _work(self, item):
        self.started.release()
        assert self.go_on.acquire(timeout=10)
        if item == "bad":
            raise ValueError("bad item")
        self.done.append(item)

    def _drop(self, item, reason):
        self.dropped.append((item, reason))

    def _fail(self, item, error):
        self.failed.append((item, str(error)))

    def settle(self):
        end = time.monotonic() + 10
        while not self.worker.idle:
            assert time.monotonic() < end
            time.sleep(0.005)


def test_the_newest_item_wins_and_the_others_are_said():
    work = Work()
    work.worker.put(1)
    assert work.started.acquire(timeout=10)  # 1 is being worked on
    for item in (2, 3, 4):
        work.worker.put(item)
    assert work.dropped == [(2, "newer_frame"), (3, "newer_frame")]
    work.go_on.release(2)
    work.settle()
    assert work.done == [1, 4]
    assert work.worker.stop()


def test_an_error_costs_one_item():
    work = Work()
    work.go_on.release(2)
    work.worker.put("bad")
    work.settle()
    work.worker.put("good")
    work.settle()
    assert (work.failed, work.done) == ([("bad", "bad item")], ["good"])
    work.worker.stop()


def test_items_that_may_wait_are_finished_in_order_before_the_end():
    work = Work()
    work.worker.stop()
    work.worker = NewestWorker("test", work._work, work._drop, work._fail, keep=2, finish=True)
    work.worker.put(1)
    assert work.started.acquire(timeout=10)
    for item in (2, 3, 4):
        work.worker.put(item)
    work.go_on.release(5)
    assert work.worker.stop()
    assert (work.done, work.dropped) == ([1, 3, 4], [(2, "newer_frame")])


def test_stop_finishes_the_item_at_hand_and_drops_the_rest():
    work = Work()
    work.worker.put(1)
    assert work.started.acquire(timeout=10)
    work.worker.put(2)
    work.go_on.release(5)
    assert work.worker.stop()
    work.worker.put(3)
    assert sorted(work.done + [item for item, _ in work.dropped]) == [1, 2, 3]
    assert (3, "deactivated") in work.dropped
