# SPDX-License-Identifier: Apache-2.0
"""xd-rcdepth view: a bag as one page with pictures, that needs no other file and no network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Optional

import numpy as np
import typer
from rich.console import Console

from xd_rcdepth_ros.cli.options import CAMERA, DEVICE, JSON_FILE, MODEL, RADAR_FIELDS, TOPICS
from xd_rcdepth_ros.cli.output import write_json
from xd_rcdepth_ros.demo.content import STILLS, still_stamps
from xd_rcdepth_ros.demo.outputs import Answer, find_node, read_answers
from xd_rcdepth_ros.demo.view import estimate_answer, view_page
from xd_rcdepth_ros.errors import XDRCDepthError
from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.inference import DepthEstimator
from xd_rcdepth_ros.recordings.reader import Recording
from xd_rcdepth_ros.recordings.wiring import parse_radar_fields, parse_topics
from xd_rcdepth_ros.report.page import write_page

app = typer.Typer(add_completion=False)


def readable_frames(
    recording: Recording, numbers: Iterable[int], left_out: Counter[str]
) -> Iterator[SensorFrame]:
    """Yield the frames of these numbers; those that cannot be read are counted by their reason."""
    for number in numbers:
        try:
            frame = recording.frame(number)
        except XDRCDepthError as error:
            left_out[str(error)] += 1
            continue
        yield frame


@app.command()
def view(
    bag: Path = typer.Argument(..., help="Bag with camera and radar; may hold the depth too."),
    out: Path = typer.Option(Path("view.html"), help="Page to write."),
    outputs: Optional[Path] = typer.Option(
        None, help="Bag of what the depth node published for it, if that is another."
    ),
    frames: int = typer.Option(60, min=1, help="Frames at most, spread over the bag."),
    camera: str = CAMERA,
    topics: str = TOPICS,
    radar_fields: str = RADAR_FIELDS,
    model: Optional[Path] = MODEL,
    device: str = DEVICE,
    json_file: Optional[Path] = JSON_FILE,
) -> None:
    """Show a bag: camera, radar, depth, expected error, saliency, from above, errors and times.

    Depth that a depth node published is shown as recorded; without any, the model estimates it.
    """
    wiring = parse_topics(topics), parse_radar_fields(radar_fields)
    source = outputs or bag
    node = find_node(source)
    with Recording(bag, camera, topics=wiring[0], radar_fields=wiring[1]) as recording:
        recorded = read_answers(source, node) if node else {}
        stamps_ns = recording.stamps_ns()
        numbers = {s: n for n, s in enumerate(stamps_ns) if not node or s in recorded}
        answers = {stamp_ns: recorded.get(stamp_ns, Answer(stamp_ns)) for stamp_ns in numbers}
        chosen = still_stamps(answers, min(STILLS, frames))
        others = min(len(numbers), frames - len(chosen))
        spread = np.linspace(0, len(numbers) - 1, others).astype(int)
        shown = sorted(chosen | {list(numbers)[place] for place in spread})
        if node:
            text = f"Depth as {node} published it, in {source.name}."
        else:
            estimator = DepthEstimator.load(model, device=device)
            info = estimator.info
            text = f"The bag holds no depth: {info.identity} estimated it on {info.device}."

        def answer_to(frame: SensorFrame) -> Answer:
            if node:
                return recorded[frame.stamp_ns]
            return estimate_answer(estimator, frame, frame.stamp_ns in chosen)

        left_out: Counter[str] = Counter()
        found = readable_frames(recording, [numbers[stamp_ns] for stamp_ns in shown], left_out)
        page, figures = view_page(found, answer_to, chosen, bag.name, text)
    write_page(out, page)
    if json_file is not None:
        counts = {"frames_in_bag": len(stamps_ns), "left_out": dict(left_out)}
        write_json(json_file, {"bag": str(bag), **counts, **figures})
    console = Console(highlight=False, soft_wrap=True)
    for reason, count in left_out.items():
        console.print(f"left out {count} x {reason}", style="yellow", markup=False)
    console.print(f"{figures['frames']} frames. Open {out}")
