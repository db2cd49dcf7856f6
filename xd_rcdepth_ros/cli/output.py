# SPDX-License-Identifier: Apache-2.0
"""What commands have in common when they write: JSON files, and what had to be left out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

_SHOWN_REASONS = 5


def write_json(path: Path, result: Mapping[str, Any]) -> None:
    """Write a result; the name appears only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf8")
    partial.replace(path)


def print_left_out(console: Console, left_out: Mapping[str, Any]) -> None:
    """Print what was left out, each reason with its count.

    Args:
        console: Where to.
        left_out: As :func:`xd_rcdepth_ros.evaluation.data.describe_left_out` returns it.
    """
    lines = [f"left out {bag}: {reason}" for bag, reason in left_out["unreadable_bags"].items()]
    for bag, reasons in left_out["messages"].items():
        lines += [f"{bag}: {count} x {reason}" for reason, count in reasons.items()]
    frames, reasons = left_out["frames"], left_out["frame_reasons"]
    if frames:
        lines.append(f"{frames} of {left_out['frames_in']} frames were left out:")
        shown = list(reasons.items())[:_SHOWN_REASONS]
        lines += [f"  {count} x {reason}" for reason, count in shown]
        if len(reasons) > _SHOWN_REASONS:
            lines.append(f"  and {len(reasons) - _SHOWN_REASONS} other reasons; see the JSON file")
    blind = left_out["frames_without_radar"]
    if blind:
        lines.append(f"{blind} frames have no radar sweep near the image: depth from it alone")
    for line in lines:
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
