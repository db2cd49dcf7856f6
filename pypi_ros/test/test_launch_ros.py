# SPDX-License-Identifier: Apache-2.0
"""Contract of the package launch_ros: nodes with names, parameters, remappings, lifecycle."""

import json
import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

launch = pytest.importorskip("launch", reason="launch is not installed")
pytest.importorskip("launch_ros", reason="launch_ros is not installed")
pytest.importorskip("rclpy", reason="rclpy is not installed")

from ament_index_python.packages import (  # noqa: E402
    PackageNotFoundError,
    get_package_share_directory,
)
from launch import LaunchContext, LaunchDescription, LaunchService  # noqa: E402
from launch.actions import (  # noqa: E402
    DeclareLaunchArgument,
    EmitEvent,
    GroupAction,
    OpaqueFunction,
    RegisterEventHandler,
    SetLaunchConfiguration,
    Shutdown,
)
from launch.events import matches_action  # noqa: E402
from launch.substitutions import LaunchConfiguration, SubstitutionFailure  # noqa: E402
from launch_ros.actions import (  # noqa: E402
    LifecycleNode,
    Node,
    PushRosNamespace,
)
from launch_ros.event_handlers import OnStateTransition  # noqa: E402
from launch_ros.events.lifecycle import ChangeState  # noqa: E402
from launch_ros.substitutions import ExecutableInPackage, FindPackageShare  # noqa: E402
from lifecycle_msgs.msg import Transition  # noqa: E402

# Writes down what it was started with.
REPORTING_NODE = """
import json, os, sys
import rclpy
from rclpy.node import Node

rclpy.init(args=sys.argv)
node = Node("own_name", automatically_declare_parameters_from_overrides=True)
parameters = {name: p.value for name, p in node.get_parameters_by_prefix("").items()}
for name in ("use_sim_time", "start_type_description_service"):
    parameters.pop(name, None) if not parameters.get(name) or "type_desc" in name else None
report = {
    "name": node.get_fully_qualified_name(),
    "parameters": {k: list(v) if hasattr(v, "tolist") else v for k, v in parameters.items()},
    "chatter": node.resolve_topic_name("chatter"),
    "arguments": rclpy.utilities.remove_ros_args(sys.argv)[2:],
    "environment": os.environ.get("CONTRACT_A"),
}
with open(sys.argv[1] + ".part", "w") as file:
    json.dump(report, file)
os.rename(sys.argv[1] + ".part", sys.argv[1])
"""

LIFECYCLE_NODE = """
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode

rclpy.init()
node = LifecycleNode("own_name")
try:
    rclpy.spin(node)
except (KeyboardInterrupt, ExternalShutdownException):
    pass
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Keep logs in one place; restore what launch actions change."""
    before = dict(os.environ)
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path / "log"))
    monkeypatch.setenv("AMENT_PREFIX_PATH", os.environ.get("AMENT_PREFIX_PATH") or sys.prefix)
    yield
    os.environ.clear()
    os.environ.update(before)


def run(*entities: Any) -> int:
    """Run a description of the entities; return the status."""
    service = LaunchService(noninteractive=True)
    service.include_launch_description(LaunchDescription(list(entities)))
    return service.run()


class Reporter:
    """Makes nodes that report, and reads their reports."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.script = directory / "reporting_node"
        self.script.write_text(f"#!{sys.executable}\n{REPORTING_NODE}")
        self.script.chmod(0o755)

    def node(self, key: str, arguments: tuple = (), **kwargs: Any) -> Node:
        return Node(
            executable=str(self.script),
            arguments=[str(self.directory / key), *arguments],
            output="screen",
            **kwargs,
        )

    def __getitem__(self, key: str) -> dict[str, Any]:
        return json.loads((self.directory / key).read_text())


@pytest.fixture
def reporter(tmp_path: Path) -> Reporter:
    return Reporter(tmp_path)


def test_node_gets_name_namespace_remapping_arguments_and_environment(reporter: Reporter) -> None:
    status = run(
        SetLaunchConfiguration("side", "left"),
        reporter.node(
            "full",
            arguments=("plain", LaunchConfiguration("side")),
            name=["camera_", LaunchConfiguration("side")],
            namespace="car",
            remappings=[("chatter", ["talk/", LaunchConfiguration("side")])],
            additional_env={"CONTRACT_A": "set"},
        ),
        reporter.node("bare"),
        reporter.node("ros_arguments", ros_arguments=["-r", "__node:=given"]),
    )

    assert status == 0
    assert reporter["full"] == {
        "name": "/car/camera_left",
        "parameters": {},
        "chatter": "/car/talk/left",
        "arguments": ["plain", "left"],
        "environment": "set",
    }
    assert reporter["bare"]["name"] == "/own_name"
    assert reporter["ros_arguments"]["name"] == "/given"


def test_parameters_keep_or_get_their_types(reporter: Reporter) -> None:
    parameters = {
        "text": "true",
        "number": 3,
        "real": 3.0,
        "flag": False,
        "texts": ["1", "two"],
        "numbers": [1, 2],
        "reals": [1, 2.5],
        "flags": [True, False],
        "nested": {"deep": {"value": 1}},
        "from_argument": LaunchConfiguration("flag"),
        "joined": ["a_", LaunchConfiguration("flag")],
        ("key_of_", LaunchConfiguration("flag")): 1,
    }

    status = run(
        DeclareLaunchArgument("flag", default_value="true"),
        reporter.node("types", parameters=[parameters]),
    )

    assert status == 0
    assert reporter["types"]["parameters"] == {
        "text": "true",
        "number": 3,
        "real": 3.0,
        "flag": False,
        "texts": ["1", "two"],
        "numbers": [1, 2],
        "reals": [1.0, 2.5],
        "flags": [True, False],
        "nested.deep.value": 1,
        "from_argument": True,
        "joined": "a_true",
        "key_of_true": 1,
    }
    assert isinstance(reporter["types"]["parameters"]["real"], float)


def test_later_parameters_win_and_files_are_read(reporter: Reporter, tmp_path: Path) -> None:
    file = tmp_path / "parameters.yaml"
    file.write_text("/**:\n  ros__parameters: {a: 1, b: 1, c: 1}\n")

    status = run(
        SetLaunchConfiguration("file", str(file)),
        reporter.node(
            "merged", parameters=[LaunchConfiguration("file"), {"b": 2, "c": 2}, {"c": 3}]
        ),
    )

    assert status == 0
    assert reporter["merged"]["parameters"] == {"a": 1, "b": 2, "c": 3}


def test_namespace_holds_in_its_scope(reporter: Reporter) -> None:
    status = run(
        GroupAction(
            [
                PushRosNamespace("outer"),
                GroupAction([PushRosNamespace("inner"), reporter.node("inner")]),
                reporter.node("absolute", namespace="/elsewhere"),
            ]
        ),
        reporter.node("outside"),
    )

    assert status == 0
    assert reporter["inner"]["name"] == "/outer/inner/own_name"
    assert reporter["inner"]["chatter"] == "/outer/inner/chatter"
    assert reporter["absolute"]["name"] == "/elsewhere/own_name"
    assert reporter["outside"]["name"] == "/own_name"


def test_node_knows_its_full_name_once_executed(reporter: Reporter) -> None:
    node = reporter.node("named", name="n", namespace="a/b")
    with pytest.raises(RuntimeError):
        node.node_name  # noqa: B018

    run(node)

    assert node.node_name == "/a/b/n"


@pytest.mark.parametrize(
    "parameters", ["file.yaml", {"a": 1}, [{"a": object()}], [{1: 2}]], ids=str
)
def test_parameters_of_another_form_are_refused(reporter: Reporter, parameters: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        reporter.node("refused", parameters=parameters)


def test_list_of_several_types_fails_the_launch(reporter: Reporter) -> None:
    assert run(reporter.node("mixed", parameters=[{"a": [1, "b"]}])) == 1


@pytest.mark.parametrize("kwargs", [{"name": "not valid"}, {"name": "n", "namespace": "9x"}])
def test_invalid_names_fail_the_launch(reporter: Reporter, kwargs: dict[str, str]) -> None:
    assert run(reporter.node("invalid", **kwargs)) == 1


def test_packages_are_found_in_the_index() -> None:
    context = LaunchContext()

    assert FindPackageShare("std_msgs").perform(context) == get_package_share_directory("std_msgs")
    with pytest.raises(PackageNotFoundError):
        FindPackageShare("there_is_no_such_package").perform(context)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reporter: Reporter) -> str:
    """A package with the reporting node in it."""
    name = "contract_package"
    index = tmp_path / "share/ament_index/resource_index/packages"
    index.mkdir(parents=True)
    (index / name).touch()
    libexec = tmp_path / "lib" / name
    libexec.mkdir(parents=True)
    (libexec / "reporting_node").symlink_to(reporter.script)
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path}:{os.environ['AMENT_PREFIX_PATH']}")
    return name


def test_executable_of_a_package(package: str, tmp_path: Path) -> None:
    found = ExecutableInPackage(package=package, executable="reporting_node")
    assert found.perform(LaunchContext()) == str(tmp_path / "lib" / package / "reporting_node")
    with pytest.raises(SubstitutionFailure):
        ExecutableInPackage(package=package, executable="absent").perform(LaunchContext())

    ran = Node(package=package, executable="reporting_node", arguments=[str(tmp_path / "out")])
    assert run(ran) == 0
    assert (tmp_path / "out").exists()
    assert run(Node(package=package, executable="absent")) == 1
    assert run(Node(package="there_is_no_such_package", executable="absent")) == 1


@pytest.fixture
def lifecycle_node(tmp_path: Path) -> dict[str, Any]:
    """What a LifecycleNode action needs for a node in a script."""
    script = tmp_path / "lifecycle_node"
    script.write_text(f"#!{sys.executable}\n{textwrap.dedent(LIFECYCLE_NODE)}")
    script.chmod(0o755)
    return {"executable": str(script), "name": "life", "namespace": "", "output": "screen"}


def test_lifecycle_node_starts_by_itself(lifecycle_node: dict[str, Any]) -> None:
    try:
        node = LifecycleNode(autostart=True, **lifecycle_node)
    except TypeError:
        pytest.skip("this launch_ros has no autostart yet")
    notes: list[str] = []

    def note(context: LaunchContext) -> None:
        notes.append(context.locals.event.goal_state)

    def noted(**kwargs: Any) -> RegisterEventHandler:
        entities = [OpaqueFunction(function=note), *kwargs.pop("then", ())]
        return RegisterEventHandler(
            OnStateTransition(target_lifecycle_node=node, entities=entities, **kwargs)
        )

    status = run(
        noted(goal_state="inactive"),
        noted(goal_state="active", then=[Shutdown(reason="done")]),
        node,
    )

    assert status == 0
    assert notes == ["inactive", "active"]


def test_lifecycle_node_is_moved_and_its_transitions_are_events(
    lifecycle_node: dict[str, Any],
) -> None:
    node = LifecycleNode(**lifecycle_node)
    notes: list[str] = []

    def change(transition: int) -> EmitEvent:
        matcher = matches_action(node)
        return EmitEvent(
            event=ChangeState(lifecycle_node_matcher=matcher, transition_id=transition)
        )

    def reached(state: str, *actions: Any) -> RegisterEventHandler:
        def note(context: LaunchContext) -> None:
            notes.append(f"{context.locals.event.start_state} -> {state}")

        return RegisterEventHandler(
            OnStateTransition(
                target_lifecycle_node=node,
                goal_state=state,
                entities=[OpaqueFunction(function=note), *actions],
            )
        )

    status = run(
        reached("inactive", change(Transition.TRANSITION_ACTIVATE)),
        reached("active", Shutdown(reason="done")),
        node,
        change(Transition.TRANSITION_CONFIGURE),
    )

    assert status == 0
    assert notes == ["configuring -> inactive", "activating -> active"]
