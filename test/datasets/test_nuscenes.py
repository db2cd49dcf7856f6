# SPDX-License-Identifier: Apache-2.0
"""nuScenes to bags: content, order, resumption, filters, refusals."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from xd_rcdepth_ros.cli.main import main
from xd_rcdepth_ros.datasets.check import check_bags
from xd_rcdepth_ros.datasets.conversion import convert_plans
from xd_rcdepth_ros.datasets.nuscenes import convert_nuscenes, plan_nuscenes
from xd_rcdepth_ros.datasets.nuscenes_files import DEVKIT_FILTER, RadarFilter, sensor_name
from xd_rcdepth_ros.datasets.nuscenes_splits import official_split
from xd_rcdepth_ros.datasets.nuscenes_tables import iter_records
from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.recordings.bags import read_info
from xd_rcdepth_ros.recordings.pcd import read_pcd
from xd_rcdepth_ros.recordings.pointcloud import decode_cloud
from xd_rcdepth_ros.recordings.reader import Recording


def by_topic(bag):
    result = {}
    with AnyReader([bag]) as reader:
        for connection, stamp, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            result.setdefault(connection.topic, []).append((stamp, message))
    return result


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_every_file_arrives_unchanged_and_in_order(nuscenes_tree, tmp_path, storage):
    root, tables = nuscenes_tree()
    (bag,) = convert_nuscenes(root, tmp_path / "bags", storage=storage)
    assert bag == tmp_path / "bags" / "scene-0061"
    topics = by_topic(bag)
    stamps = [stamp for _, group in sorted(topics.items()) for stamp, _ in group]
    assert min(stamps) == min(row["timestamp"] for row in tables["sample_data"]) * 1000
    for channel, topic in (
        ("CAM_FRONT", "/camera/front/image/compressed"),
        ("RADAR_FRONT", "/radar/front"),
        ("LIDAR_TOP", "/lidar/top"),
    ):
        rows = [r for r in tables["sample_data"] if r["calibrated_sensor_token"] == f"c-{channel}"]
        assert [s for s, _ in topics[topic]] == [r["timestamp"] * 1000 for r in rows]
        for row, (stamp, message) in zip(rows, topics[topic], strict=True):
            header = message.header.stamp
            assert header.sec * 1_000_000_000 + header.nanosec == stamp
            path = root / row["filename"]
            if channel == "CAM_FRONT":
                assert message.data.tobytes() == path.read_bytes()
            elif channel == "RADAR_FRONT":
                wanted = read_pcd(path)
                assert len(message.fields) == 18
                assert decode_cloud(message).tobytes() == wanted.tobytes()
            else:
                wanted = np.fromfile(path, "<f4").reshape(-1, 5)
                points = decode_cloud(message)
                for i, name in enumerate(("x", "y", "z", "intensity", "ring")):
                    np.testing.assert_array_equal(points[name], wanted[:, i])
    keyframes = {(m.frame_id, stamp) for stamp, m in topics["/keyframes"]}
    assert keyframes == {
        (
            {"C": "camera_front_optical", "R": "radar_front", "L": "lidar_top"}[
                row["calibrated_sensor_token"][2]
            ],
            row["timestamp"] * 1000,
        )
        for row in tables["sample_data"]
        if row["is_key_frame"]
    }
    every = {row["timestamp"] * 1000 for row in tables["sample_data"]}
    assert {stamp for stamp, _ in topics["/tf"]} == {stamp for stamp, _ in topics["/odom"]} == every
    assert len(topics["/tf_static"]) == 1


def test_messages_lie_in_the_file_in_time_order(nuscenes_tree, tmp_path):
    root, tables = nuscenes_tree()
    tables["sample_data"].reverse()  # unsorted sweeps
    (root / "v1.0-mini" / "sample_data.json").write_text(json.dumps(tables["sample_data"]))
    (bag,) = convert_nuscenes(root, tmp_path / "bags")
    import mcap.stream_reader as stream
    from mcap.records import Chunk, Message

    stamps = []
    with (bag / "scene-0061.mcap").open("rb") as file:
        for record in stream.StreamReader(file).records:
            if isinstance(record, Chunk):
                stamps += [r.log_time for r in stream.breakup_chunk(record) if isinstance(
                    r, Message)]  # fmt: skip
            elif isinstance(record, Message):
                stamps.append(record.log_time)
    assert len(stamps) > 50
    assert stamps == sorted(stamps)


def test_map_is_the_global_frame_and_odom_starts_at_zero(nuscenes_tree, tmp_path):
    root, tables = nuscenes_tree()
    (bag,) = convert_nuscenes(root, tmp_path / "bags")
    topics = by_topic(bag)
    static = {t.child_frame_id: t for t in topics["/tf_static"][0][1].transforms}
    assert static["odom"].header.frame_id == "map"
    assert static["camera_front_optical"].header.frame_id == "base_link"
    first = topics["/tf"][0][1].transforms[0]
    assert (first.header.frame_id, first.child_frame_id) == ("odom", "base_link")
    t = first.transform.translation
    np.testing.assert_allclose([t.x, t.y, t.z], 0, atol=1e-9)
    m = static["odom"].transform.translation
    np.testing.assert_allclose([m.x, m.y, m.z], tables["ego_pose"][0]["translation"], atol=1e-9)


def test_odometry_velocity_by_differences(nuscenes_tree, tmp_path):
    """The made-up car drives 12 m/s along x, accelerates along y, and turns 0.2 rad/s."""
    root, _ = nuscenes_tree(seconds=1.0)
    (bag,) = convert_nuscenes(root, tmp_path / "bags")
    odometry = by_topic(bag)["/odom"]
    start = odometry[0][0]
    for stamp, message in odometry:
        t = (stamp - start) / 1e9
        if not 0.06 < t < 0.9:
            continue
        yaw = 2 * (0.2 + 0.1 * t)
        velocity = np.array([12.0, 4.0 * t])
        forward = velocity @ [np.cos(yaw), np.sin(yaw)]
        left = velocity @ [-np.sin(yaw), np.cos(yaw)]
        linear, angular = message.twist.twist.linear, message.twist.twist.angular
        np.testing.assert_allclose([linear.x, linear.y, linear.z], [forward, left, 0.1], atol=0.02)
        np.testing.assert_allclose([angular.x, angular.y, angular.z], [0, 0, 0.2], atol=1e-3)


def test_real_drive_speed(drive_root, tmp_path):
    bags = convert_nuscenes(drive_root, tmp_path)
    speeds = [m.twist.twist.linear.x for bag in bags for _, m in by_topic(bag)["/odom"]]
    assert 29.8 < min(speeds) <= max(speeds) < 30.3


def test_any_channel_by_option(nuscenes_tree, tmp_path):
    channels = ("CAM_FRONT", "CAM_BACK", "RADAR_FRONT", "RADAR_BACK_LEFT", "LIDAR_TOP")
    root, _ = nuscenes_tree(channels=channels)
    (bag,) = convert_nuscenes(
        root, tmp_path / "all", cameras=["all"], radars=["RADAR_BACK_LEFT"], lidar=None
    )
    assert set(by_topic(bag)) == {
        "/camera/front/image/compressed", "/camera/back/image/compressed", "/keyframes", "/tf",
        "/camera/front/camera_info", "/camera/back/camera_info", "/radar/back_left", "/tf_static",
        "/odom",
    }  # fmt: skip
    with Recording(bag, camera="back") as recording:
        frame = recording.frame(0)
        assert frame.lidar is None
        assert [sweep.name for sweep in frame.radar] == ["back_left"]
    with pytest.raises(RecordingError, match=r"no channel CAM_TOP.*CAM_BACK"):
        convert_nuscenes(root, tmp_path / "none", cameras=["CAM_TOP"])


def test_channel_names():
    assert sensor_name("CAM_FRONT_LEFT") == ("camera", "front_left")
    assert sensor_name("RADAR_BACK_RIGHT") == ("radar", "back_right")
    assert sensor_name("LIDAR_TOP") == ("lidar", "top")
    for name in ("CAM_", "GPS", ""):
        with pytest.raises(RecordingError, match="not known"):
            sensor_name(name)


def test_info_split_and_tags(nuscenes_tree, tmp_path):
    root, _ = nuscenes_tree(scenes=("scene-0061", "scene-0103", "scene-9999"))
    bags = convert_nuscenes(root, tmp_path / "bags")
    infos = [read_info(bag) for bag in bags]
    assert [info["split"] for info in infos] == ["train", "val", None]
    assert infos[0]["tags"] == ["night", "rain"]
    with Recording(bags[0]) as recording:
        frame = recording.frame(0)
        assert frame.tags == {"night", "rain", "keyframe"}
        assert recording.frame(1).tags == {"night", "rain"}
    assert [p.name for p in convert_nuscenes(root, tmp_path / "v", split="val")] == ["scene-0103"]
    mini = convert_nuscenes(root, tmp_path / "m", split="mini_train")
    assert [p.name for p in mini] == ["scene-0061"]
    with pytest.raises(RecordingError, match=r"split 'test'.*train, val"):
        convert_nuscenes(root, tmp_path / "t", split="test")
    (root / "splits.json").write_text(json.dumps({"mine": ["scene-9999"]}))
    own = convert_nuscenes(root, tmp_path / "s", split="mine")
    assert [p.name for p in own] == ["scene-9999"]
    (root / "splits.json").write_text("[1, 2]")
    with pytest.raises(RecordingError, match=r"splits\.json"):
        convert_nuscenes(root, tmp_path / "u")


def test_scenes_by_name(nuscenes_tree, tmp_path):
    root, _ = nuscenes_tree(scenes=("scene-0061", "scene-0103"))
    bags = convert_nuscenes(root, tmp_path / "bags", scenes=["scene-0103"])
    assert [p.name for p in bags] == ["scene-0103"]
    with pytest.raises(RecordingError, match=r"no scene scene-7.*scene-0061"):
        convert_nuscenes(root, tmp_path / "bags", scenes=["scene-7"])


def test_finished_bags_are_kept_and_other_options_refused(nuscenes_tree, tmp_path):
    root, _ = nuscenes_tree(scenes=("scene-0061", "scene-0103"))
    out = tmp_path / "bags"
    first, second = convert_nuscenes(root, out)
    before = (first / "metadata.yaml").stat().st_mtime_ns
    shutil.rmtree(second)
    seen = []
    convert_nuscenes(root, out, progress=lambda *args: seen.append(args))
    assert (first / "metadata.yaml").stat().st_mtime_ns == before
    assert second.is_dir()
    assert seen[0] == (seen[-1][1] // 2, seen[-1][1], "")
    assert seen[-1][:2] == (seen[-1][1], seen[-1][1])
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    with pytest.raises(RecordingError, match=r"scene-0061 is there already.*options"):
        convert_nuscenes(root, out, lidar=None)


def test_interrupted_conversion_leaves_no_half_bag(nuscenes_tree, tmp_path):
    root, _ = nuscenes_tree(scenes=("scene-0061", "scene-0103"))
    out = tmp_path / "bags"

    def interrupt(done, total, name):
        if name == "scene-0103" and done > total - 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_nuscenes(root, out, progress=interrupt)
    assert [p.name for p in out.iterdir()] == ["scene-0061"]
    convert_nuscenes(root, out)
    assert sorted(p.name for p in out.iterdir()) == ["scene-0061", "scene-0103"]


def test_parallel_gives_the_same_bags(nuscenes_tree, tmp_path, monkeypatch):
    monkeypatch.setattr("xd_rcdepth_ros.datasets.conversion._MESSAGES_PER_WORKER", 1)
    root, _ = nuscenes_tree(scenes=("scene-0061", "scene-0103"))
    seen = []
    plans = plan_nuscenes(root)
    many = convert_plans(plans, tmp_path / "b", jobs=2, progress=lambda *args: seen.append(args))
    one = convert_plans(plans, tmp_path / "a")
    for a, b in zip(one, many, strict=True):
        assert (a / f"{a.name}.mcap").read_bytes() == (b / f"{b.name}.mcap").read_bytes()
    assert {name for _, _, name in seen} == {"", "scene-0061", "scene-0103"}


def test_nuscenes_devkit_1099_keyframes_without_sweeps_are_converted(nuscenes_tree, tmp_path):
    """Only the keyframe blobs were downloaded: there is no folder sweeps/ (also bevfusion#528)."""
    root, tables = nuscenes_tree(scenes=("scene-0061", "scene-0103"))
    shutil.rmtree(root / "sweeps")
    bags = convert_nuscenes(root, tmp_path / "bags")
    rows = [r for r in tables["sample_data"] if r["token"].startswith("scene-0061")]
    gone = Counter(Path(r["filename"]).parent for r in rows if not r["is_key_frame"])
    assert read_info(bags[0])["skipped"] == {f"{f} file missing": n for f, n in gone.items()}
    keyframes = sum(r["is_key_frame"] for r in rows if "CAM" in r["token"])
    with Recording(bags[0]) as recording:
        assert len(list(recording.frames())) == keyframes > 1
        assert recording.frame(0).radar[0].ego_motion
    assert [result.problems for result in check_bags(plan_nuscenes(root), tmp_path / "bags")] == [
        [],
        [],
    ]


def test_centerpoint_108_missing_sweeps_are_said(nuscenes_tree, tmp_path, capsys):
    root, _ = nuscenes_tree()
    shutil.rmtree(root / "sweeps" / "RADAR_FRONT")
    out = tmp_path / "c.json"
    command = ["convert", "nuscenes", str(root), "--out", str(tmp_path / "bags")]
    assert main([*command, "--json", str(out)]) == 0
    skipped = json.loads(out.read_text())["bags"][0]["skipped"]
    assert skipped == {"sweeps/RADAR_FRONT file missing": 5}
    assert "RADAR_FRONT" in "".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("jobs", [1, 2])
def test_one_broken_scene_does_not_stop_the_others(nuscenes_tree, tmp_path, jobs, monkeypatch):
    monkeypatch.setattr("xd_rcdepth_ros.datasets.conversion._MESSAGES_PER_WORKER", 1)
    root, tables = nuscenes_tree(scenes=("scene-0061", "scene-0103", "scene-0001"))
    gone = next(r for r in tables["sample_data"] if r["token"].startswith("scene-0061-RADAR"))
    (root / gone["filename"]).unlink()
    with pytest.raises(RecordingError, match=r"1 of 3 bags failed.*1 of .* files are missing"):
        convert_nuscenes(root, tmp_path / "bags", jobs=jobs)
    assert sorted(p.name for p in (tmp_path / "bags").iterdir()) == ["scene-0001", "scene-0103"]


@pytest.mark.parametrize(
    "table", ["scene", "sample", "sample_data", "ego_pose", "calibrated_sensor", "sensor"]
)
def test_missing_or_damaged_tables_are_named(nuscenes_tree, tmp_path, table):
    root, _ = nuscenes_tree()
    path = root / "v1.0-mini" / f"{table}.json"
    text = path.read_text()
    for damage in (text[: len(text) // 2], "{}", "[1]", "", "[{}]"):
        path.write_text(damage)
        with pytest.raises(RecordingError, match=table):
            convert_nuscenes(root, tmp_path / "bags", version="v1.0-mini")
    path.write_bytes(b"[\xff\xfe")
    with pytest.raises(RecordingError, match=table):
        convert_nuscenes(root, tmp_path / "bags", version="v1.0-mini")
    path.unlink()
    with pytest.raises(RecordingError, match=rf"{table}\.json is missing"):
        convert_nuscenes(root, tmp_path / "bags", version="v1.0-mini")
    assert not (tmp_path / "bags").exists()


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("sample_data", "sample_token"),
        ("sample_data", "ego_pose_token"),
        ("sample_data", "calibrated_sensor_token"),
        ("calibrated_sensor", "sensor_token"),
    ],
)
def test_dangling_tokens_are_named(nuscenes_tree, tmp_path, rewrite_tables, table, key):
    root, tables = nuscenes_tree()
    tables[table][0][key] = "nowhere"
    rewrite_tables(root, tables)
    with pytest.raises(RecordingError, match=rf"{key} nowhere points to no record"):
        convert_nuscenes(root, tmp_path / "bags")


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("ego_pose", "rotation", [0, 0, 0, 0]),
        ("ego_pose", "rotation", "north"),
        ("ego_pose", "translation", [1, 2]),
        ("calibrated_sensor", "rotation", [1, 0, 0]),
        ("calibrated_sensor", "camera_intrinsic", [[1, 2], [3, 4]]),
        ("sample_data", "timestamp", "noon"),
        ("sample_data", "timestamp", 10**30),
        ("sample_data", "timestamp", -5),
        ("sample_data", "width", "wide"),
    ],
)
def test_damaged_values_are_named(nuscenes_tree, tmp_path, rewrite_tables, table, key, value):
    root, tables = nuscenes_tree()
    tables[table][0][key] = value
    rewrite_tables(root, tables)
    with pytest.raises(RecordingError):
        convert_nuscenes(root, tmp_path / "bags")
    assert not (tmp_path / "bags").exists() or not list((tmp_path / "bags").iterdir())


def test_duplicate_stamps_are_counted_and_left_out(nuscenes_tree, tmp_path, rewrite_tables):
    root, tables = nuscenes_tree()
    rows = [r for r in tables["sample_data"] if "RADAR" in r["token"]]
    rows[2]["timestamp"] = rows[1]["timestamp"]
    rewrite_tables(root, tables)
    (bag,) = convert_nuscenes(root, tmp_path / "bags")
    assert read_info(bag)["skipped"] == {"duplicate stamp": 1}
    assert len(by_topic(bag)["/radar/front"]) == len(rows) - 1


def test_a_folder_in_place_of_a_file_is_named(nuscenes_tree, tmp_path, monkeypatch):
    root, tables = nuscenes_tree()
    image = root / next(r["filename"] for r in tables["sample_data"] if "CAM" in r["token"])
    image.unlink()
    image.mkdir()
    monkeypatch.setattr("pathlib.Path.is_file", lambda path: path.exists())  # seen too late
    with pytest.raises(RecordingError, match=image.name):
        convert_nuscenes(root, tmp_path / "bags")
    assert list((tmp_path / "bags").iterdir()) == []


def test_damaged_sensor_files_are_named(nuscenes_tree, tmp_path):
    root, tables = nuscenes_tree()
    rows = {r["calibrated_sensor_token"][2]: root / r["filename"] for r in tables["sample_data"]}
    for path, damage in ((rows["L"], b"\0" * 41), (rows["R"], b"VERSION 0.7\n")):
        whole = path.read_bytes()
        path.write_bytes(damage)
        with pytest.raises(RecordingError, match=path.name):
            convert_nuscenes(root, tmp_path / "bags")
        assert list((tmp_path / "bags").iterdir()) == []
        path.write_bytes(whole)
    convert_nuscenes(root, tmp_path / "bags")


def test_empty_radar_and_lidar_files(nuscenes_tree, tmp_path, random_radar):
    from xd_rcdepth_ros.recordings.pcd import encode_pcd

    root, tables = nuscenes_tree()
    radar = [r for r in tables["sample_data"] if "RADAR" in r["token"]]
    marked = random_radar(np.random.default_rng(1), 3)
    marked["x"][0] = np.nan  # how nuScenes marks a sweep without returns
    (root / radar[0]["filename"]).write_bytes(encode_pcd(marked))
    (root / radar[1]["filename"]).write_bytes(encode_pcd(marked[:0]))
    lidar = next(r for r in tables["sample_data"] if "LIDAR" in r["token"])
    (root / lidar["filename"]).write_bytes(b"")
    (bag,) = convert_nuscenes(root, tmp_path / "bags")
    assert [m.width for _, m in by_topic(bag)["/radar/front"]][:2] == [0, 0]
    with Recording(bag) as recording:
        frame = recording.frame(0)
        assert len(frame.radar[0].points) == 0
        assert frame.radar_raster().channels.max() == 0
        assert len(frame.lidar.points_m) == 0


def test_radar_filters(random_radar):
    points = random_radar(np.random.default_rng(0), 400)
    assert len(RadarFilter().apply(points)) == 400
    kept = RadarFilter(dynamic_properties=(1, 3)).apply(points)
    assert set(kept["dyn_prop"]) == {1, 3}
    assert len(kept) == sum(p in (1, 3) for p in points["dyn_prop"])
    both = DEVKIT_FILTER.apply(points)
    assert len(both) == sum(
        d < 7 and i == 0 and a == 3
        for d, i, a in zip(
            points["dyn_prop"], points["invalid_state"], points["ambig_state"], strict=True
        )
    )
    with pytest.raises(RecordingError, match="dyn_prop"):
        RadarFilter((1,)).apply(np.zeros(2, [("x", "<f4")]))


def test_filters_reach_the_bag(nuscenes_tree, tmp_path):
    root, tables = nuscenes_tree()
    (bag,) = convert_nuscenes(root, tmp_path / "bags", dynamic_properties=(0, 1, 2))
    wanted = 0
    for row in tables["sample_data"]:
        if "RADAR" in row["token"]:
            wanted += int((read_pcd(root / row["filename"])["dyn_prop"] <= 2).sum())
    found = [decode_cloud(m) for _, m in by_topic(bag)["/radar/front"]]
    assert sum(map(len, found)) == wanted
    assert max(p["dyn_prop"].max() for p in found if len(p)) <= 2


def test_check_finds_every_kind_of_damage(nuscenes_tree, tmp_path, random_jpeg, rewrite_tables):
    root, tables = nuscenes_tree()
    out = tmp_path / "bags"
    plans = plan_nuscenes(root)
    convert_plans(plans, out)
    (result,) = check_bags(plans, out)
    assert result.images == 8
    assert result.messages == 8 + 8 + 12
    assert result.points == 3 * 200
    assert result.max_point_error_m < 1e-9
    image = next(r for r in tables["sample_data"] if "CAM" in r["token"])
    whole = (root / image["filename"]).read_bytes()
    (root / image["filename"]).write_bytes(random_jpeg(np.random.default_rng(9)))
    with pytest.raises(RecordingError, match="is not the image on disk"):
        check_bags(plans, out)
    (root / image["filename"]).write_bytes(whole)
    for row in tables["calibrated_sensor"]:
        row["translation"][0] += 0.01 * (row["sensor_token"] == "s-CAM_FRONT")
    rewrite_tables(root, tables)
    with pytest.raises(RecordingError, match=r"lidar lies 0\.01 m off"):
        check_bags(plan_nuscenes(root), out)
    tables["sample_data"].pop()
    rewrite_tables(root, tables)
    with pytest.raises(RecordingError, match="messages instead of"):
        check_bags(plan_nuscenes(root), out)


def test_version_is_found_or_asked_for(nuscenes_tree, tmp_path):
    root, _ = nuscenes_tree()
    with pytest.raises(RecordingError, match=r"no tables 'v1\.0-test'.*v1\.0-mini"):
        convert_nuscenes(root, tmp_path / "b", version="v1.0-test")
    shutil.copytree(root / "v1.0-mini", root / "v1.0-trainval")
    with pytest.raises(RecordingError, match=r"v1\.0-mini, v1\.0-trainval; choose one"):
        convert_nuscenes(root, tmp_path / "b")
    with pytest.raises(RecordingError, match="nuScenes tables"):
        convert_nuscenes(tmp_path, tmp_path / "b")
    with pytest.raises(RecordingError, match="no folder"):
        convert_nuscenes(tmp_path / "absent", tmp_path / "b")


def test_records_across_block_borders(tmp_path, monkeypatch):
    monkeypatch.setattr("xd_rcdepth_ros.datasets.nuscenes_tables._BLOCK", 7)
    rows = [{"token": str(i), "text": "ä]}," * (i % 5), "deep": [{"a": i}]} for i in range(50)]
    path = tmp_path / "t.json"
    for indent in (None, 1):
        path.write_text(json.dumps(rows, indent=indent, ensure_ascii=False), encoding="utf8")
        assert list(iter_records(path)) == rows
    path.write_text("  [ ]\n")
    assert list(iter_records(path)) == []


def test_official_splits_equal_the_devkit():
    splits = pytest.importorskip(
        "nuscenes.utils.splits", reason="nuscenes-devkit is not installed"
    ).create_splits_scenes()
    for split in ("train", "val", "test"):
        assert {official_split(name) for name in splits[split]} == {split}
    for split in ("mini_train", "mini_val"):
        assert {official_split(name, mini=True) for name in splits[split]} == {split}
    everything = [f"scene-{i:04d}" for i in range(2000)]
    for split, count in (("train", 700), ("val", 150), ("test", 150)):
        assert sum(official_split(name) == split for name in everything) == count
    assert sum(official_split(name, mini=True) is not None for name in everything) == 10
