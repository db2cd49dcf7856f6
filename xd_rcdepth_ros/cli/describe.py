# SPDX-License-Identifier: Apache-2.0
"""xd-rcdepth describe: parameters, compute, inputs and licence of a model or architecture."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Optional

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import nn

from xd_rcdepth_ros.benchmark.compute import HEIGHT, WIDTH, count_gmac
from xd_rcdepth_ros.cli.options import JSON_FILE
from xd_rcdepth_ros.cli.output import write_json
from xd_rcdepth_ros.network import Student, Teacher, file_sha256, load_checkpoint

app = typer.Typer(add_completion=False)


def describe_architecture(model: nn.Module) -> dict[str, Any]:
    """Return parameter count and compute of a network."""
    parameters = sum(p.numel() for p in model.parameters())
    return {"parameters": parameters, f"gmac_{HEIGHT}x{WIDTH}": round(count_gmac(model), 4)}


@app.command()
def describe(
    model: Optional[Path] = typer.Option(
        None, help="Model file; without it the architecture's defaults."
    ),
    json_file: Optional[Path] = JSON_FILE,
) -> None:
    """Show parameters, compute, inputs and licence of a model or architecture."""
    result: dict[str, Any] = {}
    if model is None:
        with torch.device("meta"):  # no weights are needed to count them
            result["student"] = describe_architecture(Student())
            result["teacher"] = describe_architecture(Teacher())
    else:
        network, header = load_checkpoint(model)
        part = "teacher" if isinstance(network, Teacher) else "student"
        result[part] = describe_architecture(network)
        result["file"] = {"name": model.name, "sha256": file_sha256(model), **asdict(header)}
        result["file"].pop("row_median_depth_m")
    table = Table("what", "value", title="xd-rcdepth")
    for part, values in result.items():
        for key, value in values.items():
            text = f"{value:,}" if isinstance(value, int) else str(value)
            table.add_row(f"{part}.{key}", text)
    Console().print(table)
    if json_file is not None:
        write_json(json_file, result)
