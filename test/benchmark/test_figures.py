# SPDX-License-Identifier: Apache-2.0
"""The benchmark's figures from known measurements, worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from xd_rcdepth_ros.benchmark.compute import roofline
from xd_rcdepth_ros.benchmark.node import summarise
from xd_rcdepth_ros.benchmark.raster import radar_sweep
from xd_rcdepth_ros.benchmark.report import benchmark_page, compare, summary_lines
from xd_rcdepth_ros.benchmark.run import ON_CPU, Plan, run_benchmark
from xd_rcdepth_ros.geometry import PinholeCamera, rasterize_radar

MS = 1_000_000


def step(rate_hz, latencies_ms, network_ms=20.0):
    """Images sent at a rate; a latency of None was never answered."""
    period = int(1000 / rate_hz) * MS
    begin = int(rate_hz) * 1_000_000 * MS  # each step has stamps of its own
    stamps = [begin + n * period for n in range(len(latencies_ms))]
    sent = [[stamp, stamp + MS] for stamp in stamps]
    received = [
        [stamp, sent_ns + int(latency * MS)]
        for (stamp, sent_ns), latency in zip(sent, latencies_ms, strict=True)
        if latency is not None
    ]
    return {
        "rate_hz": rate_hz,
        "sent": sent,
        "received": received,
        "network_ms": [network_ms] * len(received),
        "wait_ms": [2.0] * len(received),
        "cpu_s": 0.03 * len(received),
        "rss_mb": 500.0 + rate_hz,
    }


def test_the_highest_rate_that_loses_few_images_is_the_one_that_is_sustained():
    lost_one_in_four = [30.0, None, 30.0, 30.0] * 5
    node = summarise([step(10, [40.0] * 20), step(20, [30.0] * 20), step(25, lost_one_in_four)])
    assert node["sustained_fps"] == pytest.approx(20)
    assert (node["p50_ms"], node["inference_p50_ms"], node["wait_p50_ms"]) == (30.0, 20.0, 2.0)
    assert node["rss_mb"] == 525
    slow, _, lossy = node["steps"]
    assert slow["dropped_share"] == 0 and lossy["dropped_share"] == pytest.approx(0.25)
    assert slow["answered_hz"] == pytest.approx(10)
    assert slow["cpu_ms_a_frame"] == pytest.approx(30)


def test_without_a_rate_that_holds_nothing_is_sustained():
    node = summarise([step(20, [None] * 10), step(30, [None] * 10)])
    assert (node["sustained_fps"], node["p50_ms"]) == (0.0, None)
    assert node["ros2_benchmark"]["NUM_MISSED_FRAMES"] == 10
    assert node["ros2_benchmark"]["MEAN_LATENCY"] is None


def test_the_report_of_ros2_benchmark_by_hand():
    # Arrivals at 11, 121, 211, 321 ms: gaps of 110, 90, 110 ms, which change by 20 ms each time.
    report = summarise([step(10, [10.0, 20.0, 10.0, 20.0])])["ros2_benchmark"]
    assert (report["MAX_LATENCY"], report["MIN_LATENCY"], report["MEAN_LATENCY"]) == (20, 10, 15)
    assert (report["MEAN_JITTER"], report["STD_DEV_JITTER"]) == (20, 0)
    assert report["MEAN_FRAME_RATE"] == pytest.approx(3 / 0.310)
    assert report["MEAN_PLAYBACK_FRAME_RATE"] == pytest.approx(10)
    assert (report["NUM_FRAMES_SENT"], report["NUM_MISSED_FRAMES"]) == (4, 0)


def test_the_fraction_is_that_of_the_fastest_precision():
    found = roofline({"fp32": 100.0, "bf16": 1000.0}, 5.0, {"fp32": 200.0, "bf16": 50.0})
    assert found["achieved_gflops"] == {"fp32": 50.0, "bf16": 200.0}
    assert (found["precision"], found["fraction"]) == ("bf16", 0.2)
    assert roofline({}, 5.0, {"fp32": 200.0})["fraction"] is None


def test_runs_are_compared_by_what_is_worse():
    old = {"node": {"p50_ms": 20.0, "sustained_fps": 30.0}, "cold_start_s": 4.0, "seconds": 9}
    new = {"node": {"p50_ms": 30.0, "sustained_fps": 20.0}, "cold_start_s": 2.0, "seconds": 99}
    assert compare(old, new) == {
        "node.p50_ms": 1.5,
        "node.sustained_fps": 1.5,
        "cold_start_s": 0.5,
    }
    assert compare({"node": {"p50_ms": None}}, new) == {}


def test_charts_and_lines_show_what_was_measured():
    node = summarise([step(10, [40.0] * 5), step(20, [30.0] * 5)])
    result = {
        "backends": {"openvino": {"bf16": {"64x96": {"median_ms": 3.0}}}},
        "bare": {"fps": 25.0},
        "node": node,
        "earlier_layout": {"best_float_ratio": 0.4, "int8_ratio": None},
    }
    page = benchmark_page(result)
    network, rates = page.sections[0].charts
    assert network.count("<polyline") == 1 and "64x96" in network
    assert rates.count("<polyline") == 2 and ">10</text>" in rates and ">20</text>" in rates
    lines = "\n".join(summary_lines(result))
    assert "openvino bf16: 64x96 3.0 ms" in lines and "0.40 of the earlier" in lines
    assert "sustained 20.0 images a second" in lines
    node_alone = "\n".join(summary_lines({"node": result["node"]}))  # --parts node
    assert node_alone in lines.replace(" (bare network 25.0)", "") and node_alone
    assert summary_lines({}) == [] and not benchmark_page({}).sections[0].charts


def test_what_knows_the_cpu_alone_is_left_out_on_a_gpu():
    plan = Plan(
        Path("student.safetensors"), [], True, "cuda", ((64, 96),), 1, 0, ON_CPU, quick=False
    )
    result = run_benchmark(plan)
    assert set(result["left_out"]) == set(ON_CPU) == {"earlier", "roofline", "start"}
    assert all("the device is cuda" in why for why in result["left_out"].values())


def test_the_returns_of_the_raster_benchmark_fall_into_the_image():
    camera = PinholeCamera.from_focal(704, 352, 704, 704, 351.5, 175.5)
    raster = rasterize_radar((radar_sweep(500, 1), radar_sweep(500, 2)), camera, 1.0)
    assert len(raster.pixels) > 990
    assert 0 < raster.visible.sum() <= len(raster.pixels)
    assert np.count_nonzero(raster.channels[0]) == raster.visible.sum()
