# SPDX-License-Identifier: Apache-2.0
"""xd-rcdepth benchmark: latency and throughput, from the bare network to the node over DDS."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import typer
from rich.console import Console
from rich.table import Table

from xd_rcdepth_ros import __version__
from xd_rcdepth_ros.benchmark.report import benchmark_page, compare, stage_table, summary_lines
from xd_rcdepth_ros.benchmark.run import PARTS, Plan, run_benchmark
from xd_rcdepth_ros.cli.options import JSON_FILE, MODEL, words
from xd_rcdepth_ros.cli.output import write_json
from xd_rcdepth_ros.errors import ConfigurationError, XDRCDepthError
from xd_rcdepth_ros.inference import shipped_model
from xd_rcdepth_ros.inference.backends import BACKENDS
from xd_rcdepth_ros.inference.device import select_device
from xd_rcdepth_ros.inference.processor import processor_name
from xd_rcdepth_ros.network import STRIDE
from xd_rcdepth_ros.report.page import write_page

app = typer.Typer(add_completion=False)
ALL = ("openvino:fp32", "openvino:bf16", "openvino:int8", "torch:fp32", "torch:bf16", "onnx:fp32")
QUICK = ALL[:3]
ON_GPU = ("torch:fp32", "torch:fp16", "torch:bf16", "onnx:fp32", "onnx:fp16")
SIZES = ((352, 704), (192, 640), (256, 448), (448, 800))


def split(names: Sequence[str]) -> list[tuple[str, str]]:
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


@app.command()
def benchmark(
    model: Optional[Path] = MODEL,
    backend: Optional[list[str]] = typer.Option(
        None,
        help="torch, openvino, onnx or auto, with :fp32, :bf16, :fp16 or :int8 if wanted; may be "
        "given several times. The first is what the others are compared with. All that this "
        "device has, if left out.",
    ),
    device: str = typer.Option("cpu", help="auto, cpu, cuda or cuda:<n>."),
    size: Optional[tuple[int, int]] = typer.Option(
        None, help="Height and width of the network's grid, pixels; several if left out."
    ),
    frames: int = typer.Option(50, min=1, help="Frames of each backend and size."),
    threads: int = typer.Option(0, min=0, help="CPU threads; 0 for automatic."),
    parts: str = typer.Option(",".join(PARTS), help="What is measured."),
    quick: bool = typer.Option(False, "--quick", help="Fewer frames, one size: within 50 s."),
    against: Optional[Path] = typer.Option(
        None, "--compare", help="JSON of an earlier run; prints how each figure has changed."
    ),
    beyond: float = typer.Option(
        1.5, min=1.0, help="Fail if a figure is more than this many times as bad as then."
    ),
    report: Optional[Path] = typer.Option(
        None, help="Write report.html with charts into this folder."
    ),
    json_file: Optional[Path] = JSON_FILE,
) -> None:
    """Time the network, the stages of a frame, and the whole node over DDS.

    The backends take turns of five frames, so that other load on the machine strikes all alike; and
    CPU time is shown beside, which such load hardly moves. Compare ratios of one run; times of two
    runs only where the machine does nothing else. Milliseconds are p50 / p95.
    """
    if size is not None and any(n < STRIDE or n % STRIDE for n in size):
        raise ConfigurationError(f"size is {size}; expected multiples of {STRIDE}.")
    chosen = words([parts])
    if unknown := [part for part in chosen if part not in PARTS]:
        raise ConfigurationError(f"parts are {parts!r}; {unknown} is none of {list(PARTS)}.")
    old = _read(against) if against is not None else {}
    console = Console(stderr=True)
    target = select_device(device)
    usual = ON_GPU if target.type == "cuda" else QUICK if quick else ALL
    plan = Plan(
        model=model or shipped_model(),
        backends=split(backend or usual),
        must_have=bool(backend),
        device=str(target),
        sizes=(size,) if size else SIZES[:1] if quick else SIZES,
        frames=min(frames, 10) if quick else frames,
        threads=threads,
        parts=chosen,
        quick=quick,
    )
    with console.status("measuring") as status:
        result = run_benchmark(plan, status.update)
    result = {"machine": _machine(), **result}
    for what, why in result["left_out"].items():
        console.print(f"left out {what}: {why}", style="yellow", markup=False)
    if "rows" in result:
        stages = stage_table(result)
        table = Table(*stages.head, title=stages.title)
        for row in stages.rows:
            table.add_row(*map(str, row))
        Console().print(table)
    for line in summary_lines(result):
        Console().print(line, highlight=False, soft_wrap=True)
    if json_file is not None:
        write_json(json_file, result)
    if report is not None:
        write_page(report / "report.html", benchmark_page(result))
    _judge(compare(old, result), beyond)


def _judge(ratios: dict[str, float], beyond: float) -> None:
    """Print how figures have changed; fail if one is too bad."""
    for name, ratio in ratios.items():
        text = f"{name}: {ratio:.2f} of the earlier run's" + (" (worse)" if ratio > 1 else "")
        Console().print(text, highlight=False, soft_wrap=True)
    if worse := [f"{name} ({ratio:.2f})" for name, ratio in ratios.items() if ratio > beyond]:
        raise XDRCDepthError(
            f"more than {beyond:g} times as bad as in the earlier run: {', '.join(worse)}."
        )


def _read(path: Path) -> dict[str, Any]:
    """Read the JSON of an earlier run.

    Raises:
        ConfigurationError: It is none.
    """
    try:
        return dict(json.loads(path.read_text(encoding="utf8")))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{path} cannot be compared with ({error}); expected a file of benchmark --json."
        ) from error


def _machine() -> dict[str, Any]:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "load_average": load,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "xd_rcdepth_ros": __version__,
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
