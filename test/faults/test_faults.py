# SPDX-License-Identifier: Apache-2.0
"""Each fault once against one node over DDS; `make soak` lets them come at random for long."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

pytestmark = pytest.mark.ros

NAMES = (
    "camera_dies", "radar_dies", "publisher_killed", "five_times_the_rate", "clock_jumps_back",
    "stamps_from_the_future", "duplicated_and_reordered", "clock_stops", "tf_vanishes",
    "tf_extrapolates", "wrong_frame_ids", "strange_points", "million_points", "empty_cloud",
    "broken_cloud", "corrupt_jpeg", "zero_size_image", "resolution_flips", "wrong_camera_info",
    "uncalibrated_camera", "parameter_storm", "lifecycle_loop", "worker_exception",
    "network_stalls", "subscriber_hangs",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_after_the_fault_the_node_answers_goes_on_and_explains_what_is_lost(campaign, name):
    from fault_library import FAULTS

    outcome = campaign.run(FAULTS[name])
    assert outcome.survived, outcome.problems


def test_every_fault_is_in_the_campaign(campaign):
    from fault_library import FAULTS

    assert set(FAULTS) == set(NAMES)


def test_an_exception_in_the_worker_costs_exactly_one_frame(campaign):
    from faulty_node import RAISE

    driver = campaign.driver
    with driver.paused():
        time.sleep(0.5)  # what is on its way arrives
        before = campaign.settle()
        first = driver.frame()
        campaign.wait_for("frames_out", before["frames_out"] + 1)
        broken = driver.frame(driver.now_ns() + RAISE)
        campaign.wait_for("dropped_worker_error", before["dropped_worker_error"] + 1)
        last = driver.frame()
        driver.wait(lambda: last in driver.stamps("depth/image"), "the next image's depth", 60)
        gone = campaign.settle()
    gone.subtract(before)
    assert [s in driver.stamps("depth/image") for s in (first, broken, last)] == [True, False, True]
    assert (gone["frames_in"], gone["frames_out"], gone["dropped_worker_error"]) == (3, 2, 1)
    assert campaign.books.unexplained(gone) == 0


def test_images_in_flight_at_deactivation_are_accounted_for(campaign):
    """One is in the network, one waits for it: the last diagnostics tell what became of them."""
    from faulty_node import STALL

    driver = campaign.driver
    with driver.paused():
        time.sleep(0.5)
        before = campaign.settle()
        driver.frame(driver.now_ns() + STALL)
        campaign.wait_for("frames_in", before["frames_in"] + 1)
        time.sleep(0.2)
        driver.frame()
        campaign.wait_for("frames_in", before["frames_in"] + 2)
        driver.transition("deactivate")
        try:
            campaign.wait_for("dropped_deactivated", before["dropped_deactivated"] + 1)
            totals = campaign.books.totals()
        finally:
            driver.transition("activate")
    assert campaign.books.unexplained(totals) == 0
    assert totals["frames_out"] == before["frames_out"] + 1


def test_memory_is_flat_when_faults_come_again(campaign):
    """By then each fault has come once; what they cost for good is paid."""
    from fault_library import FAULTS

    first_mb = campaign.run(FAULTS["lifecycle_loop"]).rss_mb
    for name in ("clock_jumps_back", "lifecycle_loop", "resolution_flips", "lifecycle_loop"):
        last = campaign.run(FAULTS[name])
        assert last.survived, last.problems  # time jumps back after a clean-up, too
    assert last.rss_mb < 1.1 * first_mb


def test_the_campaign_finds_a_fault_that_costs_too_much_or_does_not_bite(campaign):
    from fault_library import FAULTS

    dear = campaign.run(replace(FAULTS["worker_exception"], costs=frozenset()))
    (problem,) = dear.problems
    assert problem.startswith("images lost for other reasons: {'worker_error': ")
    blunt = campaign.run(replace(FAULTS["clock_stops"], shows=("dropped_bad_image",)))
    assert blunt.problems == ["the fault did not bite: dropped_bad_image did not grow"]


def test_the_books_do_not_balance_if_an_image_gets_lost_uncounted(campaign):
    totals = campaign.settle()
    assert campaign.books.unexplained(totals) == 0
    totals["frames_in"] += 3
    assert campaign.books.unexplained(totals) == 3
