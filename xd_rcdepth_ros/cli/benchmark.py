# SPDX-License-Identifier: Apache-2.0
"""xd-rcdepth benchmark: latency and throughput a stage and a backend, as table and JSON."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any, Optional

import typer
from rich.console import Console
from rich.table import Table

from xd_rcdepth_ros.cli.options import JSON_FILE, MODEL
from xd_rcdepth_ros.cli.output import write_json
from xd_rcdepth_ros.cli.progress import ProgressBar
from xd_rcdepth_ros.errors import ConfigurationError, DeviceError
from xd_rcdepth_ros.inference import DepthEstimator, shipped_model
from xd_rcdepth_ros.inference.backends import BACKENDS
from xd_rcdepth_ros.inference.benchmark import STAGES, benchmark_frame, measure
from xd_rcdepth_ros.network import STRIDE

app = typer.Typer(add_completion=False)
ALL = ("torch:fp32", "torch:bf16", "openvino:fp32", "openvino:bf16", "onnx:fp32")


def processor() -> str:
    """Return the name of the CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def split(names: list[str]) -> list[tuple[str, str]]:
    """Return (backend, precision) for texts such as ``openvino:bf16``; precision may be left out.

    Raises:
        ConfigurationError: A backend is unknown.
    """
    pairs = []
    for name in names:
        backend, _, precision = name.partition(":")
        if backend not in ("auto", *BACKENDS):
            raise ConfigurationError(
                f"backend is {name!r}; expected one of {['auto', *BACKENDS]}, and a precision "
                "behind a colon if wanted, as in openvino:bf16."
            )
        pairs.append((backend, precision or "auto"))
    return pairs


def table_of(rows: list[dict[str, Any]], title: str) -> Table:
    """Return the figures for people."""
    table = Table(
        "backend", "precision", *STAGES, "frames/s", "CPU ms", "times as fast", title=title
    )
    for row in rows:
        stages = [
            f"{row['stages_ms'][s]['p50']:.1f} / {row['stages_ms'][s]['p95']:.1f}" for s in STAGES
        ]
        table.add_row(
            f"{row['backend']} on {row['device']}",
            row["precision"],
            *stages,
            f"{row['frames_per_second']:.1f}",
            f"{row['cpu_ms']['p50']:.0f}",
            f"{row['times_as_fast']:.2f}, by CPU {row['times_as_fast_by_cpu']:.2f}",
        )
    return table


@app.command()
def benchmark(
    model: Optional[Path] = MODEL,
    backend: Optional[list[str]] = typer.Option(
        None,
        help="torch, openvino, onnx or auto, with :fp32, :bf16 or :fp16 if wanted; may be "
        "given several times. The first is what the others are compared with. All that this "
        "machine has, if left out.",
    ),
    device: str = typer.Option("cpu", help="auto, cpu, cuda or cuda:<n>."),
    size: tuple[int, int] = typer.Option(
        (352, 704), help="Height and width of the network's grid, pixels."
    ),
    frames: int = typer.Option(50, min=1, help="Frames of each backend."),
    threads: int = typer.Option(0, min=0, help="CPU threads; 0 for automatic."),
    json_file: Optional[Path] = JSON_FILE,
) -> None:
    """Time the stages of a frame, from camera image and radar returns to depth.

    The backends take turns of five frames, so that other load on the machine strikes all alike; and
    CPU time is shown beside, which such load hardly moves. Milliseconds are p50 / p95.
    """
    if any(n < STRIDE or n % STRIDE for n in size):
        raise ConfigurationError(f"size is {size}; expected multiples of {STRIDE}.")
    model = model or shipped_model()
    console = Console(stderr=True)
    estimators, left_out = [], {}
    for name, precision in split(list(backend or ALL)):
        try:
            estimators.append(DepthEstimator.load(model, device, name, precision, size, threads))
        except (DeviceError, ConfigurationError) as error:
            if backend:
                raise
            left_out[f"{name}:{precision}"] = str(error)
            console.print(f"left out {name}:{precision}: {error}", style="yellow", markup=False)
    if not estimators:
        raise DeviceError("no backend can be used on this machine.")
    frame = benchmark_frame(*size, estimators[0].info.header.focal_length_px)
    with ProgressBar(console=console, transient=True) as bar:
        task = bar.add_task("frames", total=frames)
        rows = measure(estimators, frame, frames, lambda done: bar.update(task, completed=done))
    title = f"{estimators[0].info.name}, grid {size[0]}x{size[1]}, ms p50 / p95"
    Console().print(table_of(rows, title))
    if json_file is not None:
        result = {
            "model": dict(estimators[0].describe()),
            "grid": list(size),
            "image": [frame.camera.height, frame.camera.width],
            "processor": processor(),
            "rows": rows,
            "left_out": left_out,
        }
        write_json(json_file, result)
