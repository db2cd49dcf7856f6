# SPDX-License-Identifier: Apache-2.0
"""Choosing what to replay, how fast, and where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from demo_helpers import PERIOD_NS, write_drive
from hypothesis import given
from hypothesis import strategies as st

from xd_rcdepth_ros.demo import session
from xd_rcdepth_ros.demo.drives import find_legs, read_leg, simulated_drive
from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.recordings.wiring import parse_topics

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "drive_nuscenes_layout"


@pytest.mark.parametrize(
    ("frame_s", "period_s", "rate"),
    [(0.01, 0.1, 1.0), (0.1, 0.18, 1.0), (0.2, 0.18, 0.5), (0.2, 0.0833, 0.23), (1.0, 0.09, 0.05)],
)
def test_rate_leaves_headroom(frame_s: float, period_s: float, rate: float) -> None:
    assert session.choose_rate(frame_s, period_s) == rate


@given(st.floats(1e-4, 10), st.floats(1e-3, 10))
def test_rate_is_never_faster_than_measured(frame_s: float, period_s: float) -> None:
    rate = session.choose_rate(frame_s, period_s)
    assert session.SLOWEST_RATE <= rate <= 1.0
    if rate > session.SLOWEST_RATE:
        assert period_s / rate >= session.HEADROOM * frame_s * 0.999


def test_saliency_takes_one_frame_in_eight_or_two_seconds() -> None:
    assert session.saliency_rate_hz(0.5) == 0.25
    assert session.saliency_rate_hz(0.08) == 0.5
    assert session.saliency_rate_hz(1000.0) == 0.05


def test_environment_keeps_what_is_set() -> None:
    given_domain = session.session_environment({"ROS_DOMAIN_ID": "7", "PATH": "/x"})
    assert given_domain["ROS_DOMAIN_ID"] == "7"
    assert given_domain["PATH"].endswith(os.pathsep + "/x")
    chosen = session.session_environment({})
    assert 0 <= int(chosen["ROS_DOMAIN_ID"]) <= 232
    assert chosen["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"


def test_without_ros_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session.shutil, "which", lambda *args, **kwargs: None)
    leg = read_leg(write_drive(tmp_path / "bag", 3))
    with pytest.raises(session.SessionError, match="make setup"):
        session.run_session(leg, tmp_path / "out", 1.0, tmp_path / "model")


def test_a_launch_that_fails_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launcher = tmp_path / "ros2"
    launcher.write_text("#!/bin/sh\necho the reason\nexit 1\n")
    launcher.chmod(0o755)
    monkeypatch.setattr(session.shutil, "which", lambda *args, **kwargs: str(launcher))
    leg = read_leg(write_drive(tmp_path / "bag", 3))
    with pytest.raises(session.SessionError, match="the reason"):
        session.run_session(leg, tmp_path / "out", 1.0, tmp_path / "model")
    assert "the reason" in (tmp_path / "out" / "launch.log").read_text()


def test_a_launch_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launcher = tmp_path / "ros2"
    launcher.write_text("#!/bin/sh\necho started\nexec sleep 600\n")
    launcher.chmod(0o755)
    monkeypatch.setattr(session.shutil, "which", lambda *args, **kwargs: str(launcher))
    leg = read_leg(write_drive(tmp_path / "bag", 3))
    out = tmp_path / "out"
    with pytest.raises(session.SessionError, match="ended after"):
        session.run_session(leg, out, 1.0, tmp_path / "model", start_timeout_s=0.25)
    assert " start_timeout:=0.25 " in (out / "launch.log").read_text().splitlines()[0]


def test_a_bag_is_cut_after_the_wanted_images(tmp_path: Path) -> None:
    bag = write_drive(tmp_path / "bag", 6, depth=False)
    whole = read_leg(bag)
    assert len(whole.stamps_ns) == 6
    assert whole.play_s == -1.0
    assert whole.period_s == pytest.approx(PERIOD_NS / 1e9)
    assert whole.radars == ("front",)
    assert not whole.has_depth
    (part,) = find_legs(bag, tmp_path, 4)
    assert part.stamps_ns == whole.stamps_ns[:4]
    assert 0.3 < part.play_s < 0.4


def test_what_is_no_drive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="does not exist"):
        find_legs(tmp_path / "nowhere", tmp_path, 5)
    with pytest.raises(RecordingError, match="neither a rosbag2"):
        find_legs(tmp_path, tmp_path, 5)
    with pytest.raises(RecordingError, match="at least 2"):
        find_legs(write_drive(tmp_path / "bag", 1), tmp_path, 5)


def test_the_node_reads_the_fields_that_the_reader_reads(tmp_path: Path) -> None:
    leg = read_leg(write_drive(tmp_path / "bag", 3, strength="power"))
    assert leg.radar_fields["front"].rcs == "power"
    file = session.write_radar_fields(tmp_path / "fields.yaml", leg.radar_fields)
    fields = yaml.safe_load(file.read_text())["/**"]["ros__parameters"]["radar"]["front"]["fields"]
    assert (fields["x"], fields["rcs"], fields["vx"], fields["vx_comp"]) == ("x", "power", "vx", "")
    with leg.open() as recording:
        assert recording.frame(0).radar[0].points.rcs_dbsm[0] == 7.0


def test_other_topics_and_several_bags(tmp_path: Path) -> None:
    bags = [write_drive(tmp_path / "drives" / name, 3) for name in ("a", "b")]
    topics = parse_topics("image=/camera/front/image,radar.ahead=/radar/front")
    legs = find_legs(tmp_path / "drives", tmp_path, 5, topics=topics)
    assert [leg.bag for leg in legs] == bags
    assert [len(leg.stamps_ns) for leg in legs] == [3, 2]
    assert legs[0].topics.image == "/camera/front/image/compressed"
    assert legs[0].topics.radars == {"ahead": "/radar/front"}


def test_complaints_of_the_radar_are_found_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "launch.log"
    log.write_text(
        "[INFO] [launch]: radar on\n"
        "[depth_node-1] [WARN] [1700000000.1] [depth_node]: Radar front: no field rcs.\n"
    )
    assert session.find_radar_complaint(log) == "Radar front: no field rcs."
    log.write_text("nothing")
    assert session.find_radar_complaint(log) == ""


def test_a_simulated_drive_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from xd_rcdepth_ros import simulation

    made = []

    def make(drive, path, **_):  # type: ignore[no-untyped-def]
        made.append(drive.settings)
        write_drive(path, drive.settings.frames)

    monkeypatch.setattr(simulation, "write_bag", make)
    for frames in (3, 3, 4):
        bag = simulated_drive(tmp_path, frames)
        assert len(read_leg(bag).stamps_ns) == frames
    assert [settings.frames for settings in made] == [3, 4]


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the real drive is not at {SHARED}")
def test_scenes_are_taken_until_there_are_enough_images(tmp_path: Path) -> None:
    legs = find_legs(SHARED, tmp_path, 30)
    assert [len(leg.stamps_ns) for leg in legs] == [25, 5]
    assert legs[0].play_s == -1.0
    assert legs[1].play_s > 0.25
    assert legs[0].period_s == pytest.approx(1 / 15, rel=0.02)
