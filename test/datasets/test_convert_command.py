# SPDX-License-Identifier: Apache-2.0
"""xd-rcdepth convert: results, exit statuses, and what an interruption leaves."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from xd_rcdepth_ros.cli.main import main
from xd_rcdepth_ros.cli.options import numbers, words
from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.recordings.reader import Recording

ROOT = Path(__file__).resolve().parents[2]


def test_convert_check_and_json(nuscenes_tree, tmp_path, capsys):
    root, _ = nuscenes_tree(scenes=("scene-0061", "scene-0103"))
    command = ["convert", "nuscenes", str(root), "--out", str(tmp_path / "bags"), "--check"]
    assert main([*command, "--json", str(tmp_path / "deep" / "c.json")]) == 0
    result = json.loads((tmp_path / "deep" / "c.json").read_text())
    assert [Path(row["bag"]).name for row in result["bags"]] == ["scene-0061", "scene-0103"]
    assert [row["split"] for row in result["bags"]] == ["train", "val"]
    assert [row["kept"] for row in result["bags"]] == [False, False]
    assert result["bags"][0]["messages"]["/camera/front/image/compressed"] == 8
    assert [check["problems"] for check in result["check"]] == [[], []]
    assert "2 bags converted" in capsys.readouterr().out
    assert main([*command, "--json", str(tmp_path / "c.json")]) == 0
    again = json.loads((tmp_path / "c.json").read_text())
    assert [row["kept"] for row in again["bags"]] == [True, True]
    assert "2 were there already" in capsys.readouterr().out


def test_options_reach_the_conversion(nuscenes_tree, tmp_path):
    channels = ("CAM_FRONT", "CAM_BACK", "RADAR_FRONT", "RADAR_BACK_LEFT")
    root, _ = nuscenes_tree(scenes=("scene-0061", "scene-0103"), channels=channels)
    out = tmp_path / "bags"
    command = ["convert", "nuscenes", str(root), "--out", str(out), "--storage", "sqlite3"]
    options = ["--split", "val", "--cameras", "CAM_BACK", "--radars", "all", "--lidar", "none"]
    assert main([*command, *options, "--dynamic-properties", "0-2"]) == 0
    (bag,) = out.iterdir()
    assert bag.name == "scene-0103"
    assert (bag / "scene-0103.db3").is_file()
    with Recording(bag, camera="back") as recording:
        assert recording.radar_names == ("back_left", "front")
        assert recording.info["options"]["radar_filter"] == {"dynamic_properties": [0, 1, 2]}


def test_failures_exit_with_1_and_say_why(tmp_path, nuscenes_tree, capsys):
    assert main(["convert", "nuscenes", str(tmp_path / "no"), "--out", str(tmp_path / "b")]) == 1
    assert "no folder" in capsys.readouterr().err
    root, _ = nuscenes_tree()
    command = ["convert", "nuscenes", str(root), "--out", str(tmp_path / "b")]
    assert main([*command, "--scenes", "scene-1,scene-2"]) == 1
    assert "no scene scene-1, scene-2" in capsys.readouterr().err
    assert main([*command, "--storage", "rosbag"]) == 1
    assert "mcap or sqlite3" in capsys.readouterr().err
    assert main([*command, "--dynamic-properties", "all"]) == 1
    assert "0-6" in capsys.readouterr().err
    assert not (tmp_path / "b").exists() or not list((tmp_path / "b").iterdir())


def test_bad_usage_exits_with_2(tmp_path, capsys):
    assert main(["convert", "nuscenes", str(tmp_path)]) == 2
    assert main(["convert", "kitti", str(tmp_path), "--out", str(tmp_path)]) == 2


def test_option_texts():
    assert words(["a, b", "c", "none", ""]) == ("a", "b", "c")
    assert numbers("0-2,7", "--x") == (0, 1, 2, 7)
    assert numbers(" ", "--x") is None
    for text in ("a", "1-", "-1", "1,,2"):
        with pytest.raises(ConfigurationError, match="--x"):
            numbers(text, "--x")


def test_real_sets(drive_root, astyx_root, tmp_path):
    assert main(["convert", "nuscenes", str(drive_root), "--out", str(tmp_path / "x"),
                 "--check"]) == 0  # fmt: skip
    assert main(["convert", "astyx", str(astyx_root), "--out", str(tmp_path / "y"), "--split",
                 "val", "--check"]) == 0  # fmt: skip


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_leaves_only_whole_bags(nuscenes_tree, tmp_path, jobs):
    """A running conversion is interrupted from outside; the next one goes on and finishes."""
    scenes = tuple(f"scene-{i:04d}" for i in range(1, 7))
    root, _ = nuscenes_tree(scenes=scenes, seconds=10.0)
    out = tmp_path / "bags"
    code = (
        "import sys\nfrom xd_rcdepth_ros.datasets import conversion\n"
        "from xd_rcdepth_ros.cli.main import main\n"
        "if __name__ == '__main__':\n"
        "    conversion._MESSAGES_PER_WORKER = 100\n"
        "    sys.exit(main(sys.argv[1:]))\n"
    )
    script = tmp_path / "run.py"
    script.write_text(code)
    command = [sys.executable, str(script), "convert", "nuscenes", str(root), "--out", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*command, "--jobs", jobs], env=environment, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    deadline = time.monotonic() + 200
    while not (out.is_dir() and list(out.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the whole group
    output = process.communicate(timeout=60)[0].decode()
    assert process.returncode == 130, output
    finished = sorted(p.name for p in out.iterdir())
    assert len(finished) < len(scenes)
    assert set(finished) <= set(scenes)
    for name in finished:
        with Recording(out / name) as recording:
            assert len(recording) == 121
    assert subprocess.run([*command, "--check"], env=environment, check=False).returncode == 0
    assert sorted(p.name for p in out.iterdir()) == list(scenes)
