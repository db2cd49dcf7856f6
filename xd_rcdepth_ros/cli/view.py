# SPDX-License-Identifier: Apache-2.0
"""xd-rcdepth view: a bag as one page with pictures, that needs no other file and no network."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import numpy as np
import typer
from rich.console import Console

from xd_rcdepth_ros.cli.options import CAMERA, DEVICE, MODEL, RADAR_FIELDS, TOPICS
from xd_rcdepth_ros.demo.content import STILLS, still_stamps
from xd_rcdepth_ros.demo.outputs import Answer, find_node, read_answers
from xd_rcdepth_ros.demo.report import write_page
from xd_rcdepth_ros.demo.view import estimate_answer, view_content
from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.inference import DepthEstimator
from xd_rcdepth_ros.recordings.reader import Recording
from xd_rcdepth_ros.recordings.wiring import parse_radar_fields, parse_topics

app = typer.Typer(add_completion=False)


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
) -> None:
    """Show a bag: camera, radar, depth, expected error, saliency, from above, errors and times.

    Depth that a depth node published is shown as recorded; without any, the model estimates it.
    """
    wiring = parse_topics(topics), parse_radar_fields(radar_fields)
    source = outputs or bag
    node = find_node(source)
    with Recording(bag, camera, topics=wiring[0], radar_fields=wiring[1]) as recording:
        stamps_ns = recording.stamps_ns()
        recorded = read_answers(source, node) if node else {}
        numbers = [n for n, s in enumerate(stamps_ns) if not node or s in recorded]
        picks = np.unique(np.linspace(0, len(numbers) - 1, min(frames, len(numbers))).astype(int))
        numbers = [numbers[pick] for pick in picks]
        shown = {stamps_ns[n]: recorded.get(stamps_ns[n], Answer(stamps_ns[n])) for n in numbers}
        chosen = still_stamps(shown, STILLS)
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

        content = view_content(
            (recording.frame(number) for number in numbers), answer_to, chosen, bag.name, text
        )
    write_page(out, content)
    Console(highlight=False).print(f"{len(content.preview)} frames. Open {out}", soft_wrap=True)
