# SPDX-License-Identifier: Apache-2.0
"""All parts of the benchmark in one run, so that ratios between them are fair."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xd_rcdepth_ros.benchmark.compute import count_gmac, peak_gflops, roofline
from xd_rcdepth_ros.benchmark.earlier import LAYOUT, earlier_layout
from xd_rcdepth_ros.benchmark.node import measure_node
from xd_rcdepth_ros.benchmark.raster import measure_raster
from xd_rcdepth_ros.benchmark.stages import benchmark_frame, measure
from xd_rcdepth_ros.benchmark.start import cold_start_s
from xd_rcdepth_ros.errors import DeviceError, XDRCDepthError
from xd_rcdepth_ros.inference import DepthEstimator
from xd_rcdepth_ros.inference.backends.agreement import made_up_frame
from xd_rcdepth_ros.network import Student, build_model, read_header

PARTS = ("network", "earlier", "roofline", "raster", "start", "node")
ON_CPU = ("earlier", "roofline", "start")  # parts that know no other device
FLOATING = ("fp32", "bf16", "fp16")
QUICK_S = 46.0
"""A quick run leaves out what would not end within this time, seconds."""


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes:
        model: Model file.
        backends: (backend, precision); the first is what the others are compared with.
        must_have: Fail if one of them cannot be used, instead of leaving it out.
        device: Device of the backends: ``cpu``, ``cuda`` or ``cuda:<n>``.
        sizes: Height and width of the grids; the first is that of the other parts.
        frames: Frames of each backend and size.
        threads: CPU threads; 0 leaves the number to the backend.
        parts: Some of ``PARTS``; all but ``raster``, ``start`` and ``node`` need ``network``.
        quick: Keep to ``QUICK_S``.
    """

    model: Path
    backends: list[tuple[str, str]]
    must_have: bool
    device: str
    sizes: tuple[tuple[int, int], ...]
    frames: int
    threads: int
    parts: tuple[str, ...]
    quick: bool


@dataclass
class _Run:
    """One run: its result so far, and what was left out, with the reasons."""

    plan: Plan
    say: Callable[[str], None]
    start_s: float = field(default_factory=time.monotonic)
    result: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def left_s(self) -> float:
        """Time left, seconds."""
        return self.start_s + QUICK_S - time.monotonic() if self.plan.quick else np.inf

    def attempt(self, part: str, needs_s: float, work: Callable[[], None]) -> None:
        """Do a part, if it was asked for and there is time; what fails is left out."""
        if part not in self.plan.parts:
            return
        if part in ON_CPU and self.plan.device != "cpu":
            self.left_out[part] = f"it is of the CPU, and the device is {self.plan.device}"
            return
        if self.left_s < needs_s:
            self.left_out[part] = f"it takes about {needs_s:g} s, and {self.left_s:.0f} s are left"
            return
        self.say(f"measuring: {part}")
        try:
            work()
        except XDRCDepthError as error:
            if self.plan.must_have and part == "network":
                raise
            self.left_out[part] = str(error)


def run_benchmark(plan: Plan, say: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Measure all parts of a plan.

    Args:
        plan: What is measured.
        say: Told which part is being measured.

    Returns:
        ``backends.<name>.<precision>.<HxW>.median_ms`` and the figures of each part, for JSON.

    Raises:
        DeviceError: No backend can be used.
    """
    run = _Run(plan, say)
    run.attempt("network", 0.0, lambda: _network(run))
    run.attempt("earlier", 25.0, lambda: _earlier(run))
    run.attempt("roofline", 4.0, lambda: _roofline(run))
    run.attempt("raster", 3.0, lambda: _raster(run))
    run.attempt("start", 5.0, lambda: _start(run))
    run.attempt("node", 15.0, lambda: _node(run))
    return {**run.result, "left_out": run.left_out, "seconds": time.monotonic() - run.start_s}


def _network(run: _Run) -> None:
    plan, estimators = run.plan, []
    for name, precision in plan.backends:
        try:
            estimators.append(
                DepthEstimator.load(plan.model, plan.device, name, precision, None, plan.threads)
            )
        except XDRCDepthError as error:
            if plan.must_have:
                raise
            run.left_out[f"{name}:{precision}"] = str(error)
    if not estimators:
        raise DeviceError("no backend can be used on this machine.")
    focal_px = estimators[0].info.header.focal_length_px
    backends: dict[str, Any] = {}
    for size in plan.sizes:
        run.say(f"measuring: network at {size[0]}x{size[1]}")
        frame = benchmark_frame(*size, focal_px)
        rows = measure(estimators, frame, plan.frames)
        for row in rows:
            times = row["stages_ms"]["network"]
            backends.setdefault(row["backend"], {}).setdefault(row["precision"], {})[
                f"{size[0]}x{size[1]}"
            ] = {"median_ms": times["p50"], "p95_ms": times["p95"], "frames": row["frames"]}
        if size == plan.sizes[0]:
            run.result |= {
                "model": dict(estimators[0].describe()),
                "grid": list(size),
                "image": [frame.camera.height, frame.camera.width],
                "rows": rows,
            }
    run.result["backends"] = backends
    # The depth node takes the fastest in floating point, too, if nobody says otherwise.
    bare = min(_medians(run, FLOATING).items(), key=lambda item: item[1], default=None)
    if bare is not None:
        run.result["bare"] = {"fps": 1000 / bare[1], "precision": bare[0]}


def _medians(run: _Run, precisions: tuple[str, ...]) -> dict[str, float]:
    """Return the shortest median of each precision at the first size, ms."""
    size = "x".join(map(str, run.plan.sizes[0]))
    found: dict[str, float] = {}
    for by_precision in run.result["backends"].values():
        for precision in set(by_precision) & set(precisions):
            median_ms = by_precision[precision][size]["median_ms"]
            found[precision] = min(median_ms, found.get(precision, np.inf))
    return found


def _earlier(run: _Run) -> None:
    """Time the first student's layout and the fastest of this one's, in turns."""
    plan, size = run.plan, run.plan.sizes[0]
    backend = earlier_layout(plan.threads, cached_only=plan.quick)
    image, radar = made_up_frame(*size)
    rivals: dict[str, Any] = {"earlier": backend}
    for precision in ("fp32", "bf16", "int8"):
        if precision in run.result["backends"].get("openvino", {}):
            rivals[precision] = DepthEstimator.load(
                plan.model, "cpu", "openvino", precision, size, plan.threads
            ).backend
    times_ms: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(max(2, plan.frames // 5)):
        for name, rival in rivals.items():
            rival.run(image, radar)
            for _ in range(5):
                start_s = time.perf_counter()
                rival.run(image, radar)
                times_ms[name].append(1000 * (time.perf_counter() - start_s))
    medians = {name: float(np.median(times)) for name, times in times_ms.items()}
    earlier_ms = medians.pop("earlier")
    floating = [ms for precision, ms in medians.items() if precision in FLOATING]
    grid = "x".join(map(str, size))
    run.result["earlier_layout"] = {
        "gmac": count_gmac(Student(LAYOUT), *size),
        "openvino": {"fp32": {grid: {"median_ms": earlier_ms}}},
        "best_float_ratio": min(floating) / earlier_ms if floating else None,
        "int8_ratio": medians["int8"] / earlier_ms if "int8" in medians else None,
    }


def _roofline(run: _Run) -> None:
    seconds = 0.7 if run.plan.quick else 3.0
    peaks = {p: peak_gflops(p, seconds, run.plan.threads) for p in ("fp32", "bf16")}
    with torch.device("meta"):  # no weights are needed to count
        network = build_model(read_header(run.plan.model), str(run.plan.model))
    gmac = count_gmac(network, *run.plan.sizes[0])
    known = {name: peak for name, peak in peaks.items() if peak is not None}
    run.result["roofline"] = roofline(known, gmac, _medians(run, FLOATING))


def _raster(run: _Run) -> None:
    run.result["raster"] = measure_raster(10 if run.plan.quick else 50)


def _start(run: _Run) -> None:
    run.result["cold_start_s"] = cold_start_s(run.plan.model, max(min(run.left_s, 300.0), 5.0))


def _node(run: _Run) -> None:
    """Measure at rates around what the bare network reaches."""
    plan = run.plan
    bare_hz = run.result["bare"]["fps"] if "bare" in run.result else 30.0
    shares = (0.5, 0.9) if plan.quick else (0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.0)
    rates = [max(2.0, round(share * bare_hz, 1)) for share in shares]
    run.result["node"] = measure_node(
        rates,
        3.0 if plan.quick else 6.0,
        plan.sizes[0],
        plan.model,
        {"threads": plan.threads, "device": plan.device},
        idle_subscribers=0 if plan.quick else 4,
        limit_s=min(run.left_s, 300.0),
    )
