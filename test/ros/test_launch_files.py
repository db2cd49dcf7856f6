# SPDX-License-Identifier: Apache-2.0
"""The launch files: what arguments they have, and what of them reaches the node."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import yaml

pytest.importorskip("launch", reason="launch cannot be imported")
pytest.importorskip("launch_ros", reason="launch_ros cannot be imported")

from launch import LaunchContext
from launch.actions import LogInfo

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.ros.launch_arguments import profile_parameters, values_in_file
from xd_rcdepth_ros.ros.parameters.configuration import NodeConfig
from xd_rcdepth_ros.ros.parameters.table import NodeParameters
from xd_rcdepth_ros.ros.training.parameters import TrainingParameters

SENSORS = Path(__file__).resolve().parents[2] / "config" / "sensors"
MAKERS = {
    "depth.launch.py": "depth_node",
    "distill.launch.py": "distillation_node",
    "multi_camera.launch.py": "multi_camera_node",
}
LAUNCH = Path(__file__).resolve().parents[2] / "launch"


def load(name):
    spec = importlib.util.spec_from_file_location(name.split(".")[0], LAUNCH / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class FakeNode:
    """Takes launch_ros's Node's arguments and keeps them."""

    def __init__(self, **arguments):
        self.__dict__.update(arguments)


@pytest.fixture
def start(monkeypatch, tmp_path):
    """Gives what a launch file does with arguments: (its node, messages)."""

    def start(name, in_file=None, **arguments):
        module = load(name)
        monkeypatch.setattr(module, "Node", FakeNode)
        context = LaunchContext()
        if in_file is not None:
            file = tmp_path / "parameters.yaml"
            file.write_text(yaml.safe_dump(in_file))
            arguments["params_file"] = str(file)
        for key, value in arguments.items():
            context.launch_configurations[key.replace("__", ".")] = value
        for argument in module.ARGUMENTS.declare():
            argument.execute(context)
        *messages, node = getattr(module, MAKERS[name])(context)
        assert all(isinstance(message, LogInfo) for message in messages)
        texts = ["".join(part.perform(context) for part in m.msg) for m in messages]
        dictionaries = [item for item in node.parameters if isinstance(item, dict)]
        node.given = dictionaries[0] if dictionaries else {}
        return node, texts

    return start


def everyone(**parameters):
    return {"/**": {"ros__parameters": parameters}}


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("depth.launch.py", NodeParameters),
        ("distill.launch.py", TrainingParameters),
        ("multi_camera.launch.py", NodeParameters),
    ],
)
def test_every_parameter_is_an_argument_with_a_description(name, table):
    arguments = {a.name: a for a in load(name).generate_launch_description().get_launch_arguments()}
    assert {spec.name for spec in table.specs()} < set(arguments)
    assert {"params_file", "log_level", "use_sim_time"} < set(arguments)
    assert ("namespace" in arguments) != ("cameras" in arguments)
    assert all(len(argument.description) > 15 for argument in arguments.values())


def test_only_what_is_given_is_passed_on(start):
    """use_sim_time and autostart of the params file hold unless the command line says otherwise."""
    node, _ = start("depth.launch.py", everyone(use_sim_time=True, autostart=False))
    assert node.given == {} and node.remappings == []
    node, _ = start("depth.launch.py", use_sim_time="true", autostart="false", depth__max="60")
    assert node.given == {"use_sim_time": True, "autostart": False, "depth.max": 60.0}
    node, _ = start("distill.launch.py", settings="schedule.steps=2; size=[64, 96]", resume="false")
    assert node.given == {"settings": ["schedule.steps=2", "size=[64, 96]"], "resume": False}
    node, _ = start("distill.launch.py")
    assert node.parameters == []


@pytest.mark.parametrize(
    ("topics", "radars", "in_file", "remapped"),
    [
        ("/ars/points", "", everyone(radars=["rear"]), {"radar/rear": "/ars/points"}),
        ("/r/a, /r/b", "", everyone(radars=["a", "b"]), {"radar/a": "/r/a", "radar/b": "/r/b"}),
        ("/r/c", "c", everyone(radars=["a", "b"]), {"radar/c": "/r/c"}),
        ("/r/f", "", everyone(sweeps=2), {"radar/front": "/r/f"}),
        (
            "/r/a",
            "",
            {**everyone(radars=["x", "y"]), "/depth_node": {"ros__parameters": {"radars": ["a"]}}},
            {"radar/a": "/r/a"},
        ),
    ],
)
def test_radar_topics_belong_to_the_radars_that_the_node_will_have(
    start, topics, radars, in_file, remapped
):
    node, _ = start("depth.launch.py", in_file, radar_topics=topics, radars=radars)
    assert dict(node.remappings) == remapped


def test_more_radar_topics_than_radars_are_refused(start):
    with pytest.raises(ConfigurationError, match=r"names 2 for the radars .*front.*params_file"):
        start("depth.launch.py", everyone(), radar_topics="/a,/b")


def test_a_topic_of_compressed_images_is_understood(start):
    """realsense-ros#2529: image:=.../compressed listened to .../compressed/compressed."""
    node, _ = start("depth.launch.py", image="/cam/image_raw/compressed")
    assert dict(node.remappings) == {"image": "/cam/image_raw"}
    assert node.given == {"image_transport": "compressed"}
    with pytest.raises(ConfigurationError, match="image_transport is raw"):
        start("depth.launch.py", image="/cam/compressed", image_transport="raw")


def test_a_value_that_is_none_stops_the_launch_with_its_name(start):
    with pytest.raises(ConfigurationError, match=r"sync\.window = 'wide' .* double, 0.001 to 2"):
        start("depth.launch.py", sync__window="wide")


def test_a_misspelt_argument_is_warned_of(start):
    kept_by_launch_ros = {"ros_namespace": "/left", "bag": "of another launch file"}
    _, messages = start("depth.launch.py", devise="cuda", **kept_by_launch_ros)
    assert messages == ["[WARN] argument devise is not known; did you mean device?"]


def test_sections_of_a_params_file_are_those_that_ros_takes(tmp_path):
    file = tmp_path / "p.yaml"
    content = {
        "/**": {"ros__parameters": {"sweeps": 1, "sync": {"window": 0.2}}},
        "/left/*": {"ros__parameters": {"sweeps": 2}},
        "right": {"depth_node": {"ros__parameters": {"sweeps": 3}}},
        "/other": {"ros__parameters": {"sweeps": 9}},
    }
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    assert values_in_file(str(file), "/depth_node") == {"sweeps": 1, "sync.window": 0.2}
    assert values_in_file(str(file), "/left/depth_node")["sweeps"] == 2
    assert values_in_file(str(file), "/right/depth_node")["sweeps"] == 3


@pytest.mark.parametrize("content", [None, "a: [", b"\xff\xfe\x00"])
def test_a_params_file_that_cannot_be_read_is_named(tmp_path, content):
    file = tmp_path / "p.yaml"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigurationError, match=r"p\.yaml cannot be read"):
        values_in_file(str(file), "/depth_node")


@pytest.mark.parametrize(
    ("distribution", "duration", "expected"),
    [
        ("humble", -1.0, ["ros2", "bag", "play", "BAG"]),
        ("humble", 3.0, ["timeout", "--signal=INT", "7.5", "ros2", "bag", "play", "BAG"]),
        ("jazzy", 3.0, ["ros2", "bag", "play", "BAG"]),
    ],
)
def test_the_player_of_humble_is_ended_from_outside(monkeypatch, distribution, duration, expected):
    monkeypatch.setenv("ROS_DISTRO", distribution)
    command = load("demo.launch.py").play_command("BAG", 0.5, duration)
    assert command[: len(expected)] == expected
    assert ("--playback-duration" in command) == (distribution == "jazzy")


@pytest.mark.parametrize("file", sorted(SENSORS.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_sensor_profile_is_allowed(file):
    parameters = profile_parameters(SENSORS, file.stem, "front")
    assert not set(parameters) - {spec.name for spec in NodeConfig.specs()}
    NodeConfig.from_values(parameters)


def test_radar_profiles_are_combined_by_name(start):
    node, _ = start("depth.launch.py", everyone(radars=["a", "b"]), radar_profile="ars548")
    for radar in ("a", "b"):
        assert node.given[f"radar.{radar}.fields.radial_speed"] == "v"
        assert node.given[f"radar.{radar}.fields.vx"] == ""
    node, _ = start("depth.launch.py", radars="a,b", radar_profile="umrr,radar_scan")
    assert node.given["radar.a.fields.rcs"] == "RCS"
    assert node.given["radar.b.type"] == "radar_scan"
    with pytest.raises(ConfigurationError, match=r"ars549.*expected one of ars408, ars548"):
        start("depth.launch.py", radar_profile="ars549")


def test_each_of_several_cameras_gets_its_topics(start):
    in_file = {"/rear/depth_node": {"ros__parameters": {"radars": ["left", "right"]}}}
    node, _ = start(
        "multi_camera.launch.py",
        in_file,
        cameras="front, rear",
        image="/cam_{camera}/image/compressed",
        radar_profile="ars548",
    )
    assert node.arguments[:2] == ["front", "rear"]
    assert dict(node.remappings) == {
        "/front/image": "/cam_front/image",
        "/front/camera_info": "/camera/front/camera_info",
        "/front/radar/front": "/radar/front",
        "/rear/image": "/cam_rear/image",
        "/rear/camera_info": "/camera/rear/camera_info",
        "/rear/radar/left": "/radar/left",
        "/rear/radar/right": "/radar/right",
    }
    assert node.given["image_transport"] == "compressed"
    for radar in ("front", "left", "right"):
        assert node.given[f"radar.{radar}.fields.rcs"] == "RCS"


def test_six_cameras_get_the_radars_that_look_where_they_look(start):
    file = SENSORS.parent / "six_cameras.yaml"
    cameras = ["front", "front_left", "front_right", "rear", "rear_left", "rear_right"]
    node, _ = start(
        "multi_camera.launch.py", params_file=str(file), cameras=",".join(cameras), image="/i"
    )
    remapped = {old: new for old, new in node.remappings if "/radar/" in old}
    assert remapped == {
        **{f"/{name}/radar/{name}": f"/radar/{name}" for name in cameras if name != "rear"},
        "/rear/radar/rear_left": "/radar/rear_left",
        "/rear/radar/rear_right": "/radar/rear_right",
    }


def test_replay_wires_a_drive_bag_to_the_node(monkeypatch):
    module = load("replay.launch.py")
    included, processes = [], []
    monkeypatch.setattr(
        module,
        "IncludeLaunchDescription",
        lambda source, launch_arguments: included.append(dict(launch_arguments)),
    )
    monkeypatch.setattr(module, "ExecuteProcess", lambda cmd, **_: processes.append(cmd))
    monkeypatch.setattr(module, "Node", FakeNode)
    context = LaunchContext()
    defaults = {name: default for name, default, _ in module.ARGUMENTS}
    given = {"bag": "BAG", "rate": "0.5", "loop": "true", "camera": "rear", "radars": "a, b"}
    context.launch_configurations.update(defaults | given)
    *_, bridge = module.start(context)
    assert bridge.package == "foxglove_bridge" and not bridge.condition.evaluate(context)
    (wiring,) = included
    assert wiring["image"] == "/camera/rear/image/compressed"
    assert (wiring["radars"], wiring["radar_topics"]) == ("a,b", "/radar/a,/radar/b")
    assert (wiring["use_sim_time"], wiring["rviz"]) == ("true", "true")
    (play,) = processes
    assert play[:4] == ["ros2", "bag", "play", "BAG"]
    assert {"--clock", "--loop"} < set(play) and play[play.index("--rate") + 1] == "0.5"
    known = {a.name for a in load("depth.launch.py").ARGUMENTS.declare()}
    assert set(wiring) <= known
