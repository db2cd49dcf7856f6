# SPDX-License-Identifier: Apache-2.0
"""The command demo says whether the radar was used; the replay itself is faked here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo_helpers import write_drive

from xd_rcdepth_ros.cli.main import main
from xd_rcdepth_ros.demo.drives import Leg
from xd_rcdepth_ros.demo.outputs import Answer
from xd_rcdepth_ros.demo.session import Pace

WARNING = "radar 'front': cloud has no field rcs; it has: x, y, z, power."


@pytest.fixture
def replay(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, demo_model: Path
) -> Callable[..., tuple[int, dict[str, Any], str]]:
    """Return a function that runs the demo on a bag, its node using the radars that are named."""

    def run(bag: Path, used: tuple[str, ...]) -> tuple[int, dict[str, Any], str]:
        legs: list[Leg] = []

        def fake_session(leg: Leg, folder: Path, *_: Any, **__: Any) -> list[dict[str, Any]]:
            legs.append(leg)
            (folder / "outputs").mkdir(parents=True)
            (folder / "launch.log").write_text(f"[WARN] [1.0] [depth_node]: {WARNING}\n")
            times = {stamp: [stamp, 0, 5_000_000] for stamp in leg.stamps_ns}
            topics = {"/i": [*times.values()], "/depth_node/depth/image": [*times.values()]}
            arrivals = {"pid": 1, "image_topic": "/i", "depth_topic": "/depth_node/depth/image"}
            (folder / "arrivals.json").write_text(json.dumps({**arrivals, "topics": topics}))
            return [{"name": "fake", "pid": 1}]

        def fake_answers(_: Path) -> dict[int, Answer]:
            with legs[-1].open() as recording:
                camera = recording.frame(0).camera
            depth = np.full((camera.height, camera.width), 10.0, np.float32)
            return {
                stamp: Answer(stamp, depth, camera, radars=used) for stamp in legs[-1].stamps_ns
            }

        pace = Pace(frame_ms=10.0, play_rate=1.0)
        monkeypatch.setattr("xd_rcdepth_ros.cli.demo.measure_pace", lambda *_: pace)
        monkeypatch.setattr("xd_rcdepth_ros.cli.demo.run_session", fake_session)
        monkeypatch.setattr("xd_rcdepth_ros.demo.content.read_answers", fake_answers)
        out = tmp_path / "out"
        arguments = ["--data", str(bag), "--model", str(demo_model), "--out", str(out)]
        figures = tmp_path / "elsewhere" / "figures.json"
        code = main(["demo", *arguments, "--device", "cpu", "--json", str(figures)])
        report = json.loads((out / "report.json").read_text())
        assert json.loads(figures.read_text()) == report
        return code, report, (out / "report.html").read_text()

    return run


def test_a_radar_that_was_not_used_is_said_and_ends_with_an_error(
    replay: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report, page = replay(write_drive(tmp_path / "bag", 3), used=())
    assert code == 1
    error = capsys.readouterr().err
    assert "the radar was used for none of 3 images" in error
    assert WARNING in error
    assert (report["radars"], report["frames_with_radar"]) == (["front"], 0)
    assert "The radar was not used for any of them" in page
    assert "used no radar for this image" in page
    assert "radar returns fall into" not in page


def test_a_radar_that_was_used_is_drawn(
    replay: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report, page = replay(write_drive(tmp_path / "bag", 3), used=("front",))
    assert code == 0
    assert report["frames_with_radar"] == 3
    assert "1 radar returns fall into this image" in page
    assert "The radar was used for all of them." in capsys.readouterr().out


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_drive_without_radar_lidar_and_depth_is_shown_without_a_warning(
    replay: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = write_drive(tmp_path / "bag", 3, depth=False, radar=False)
    code, report, page = replay(bag, used=())
    assert code == 0
    assert report["mae_m"] is None
    assert "The drive has no radar" in page
    assert "The drive has no radar" in capsys.readouterr().out


def test_images_that_cannot_be_read_are_left_out_and_said(
    replay: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report, _ = replay(write_drive(tmp_path / "bag", 4, broken=2), used=("front",))
    assert code == 0
    ((reason, count),) = report["frames_left_out"].items()
    assert count == 1
    assert "image" in reason
    assert "left out 1 x" in capsys.readouterr().err
