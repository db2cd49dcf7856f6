# SPDX-License-Identifier: Apache-2.0
"""Contract of the package launch: descriptions, arguments, scopes, substitutions, events."""

import os
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

launch = pytest.importorskip("launch", reason="launch is not installed")

from launch import LaunchContext, LaunchDescription, LaunchService, Substitution  # noqa: E402
from launch.actions import (  # noqa: E402
    DeclareLaunchArgument,
    EmitEvent,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
    SetLaunchConfiguration,
    Shutdown,
)
from launch.conditions import IfCondition, UnlessCondition  # noqa: E402
from launch.event_handlers import OnShutdown  # noqa: E402
from launch.launch_description_sources import PythonLaunchDescriptionSource  # noqa: E402
from launch.substitutions import (  # noqa: E402
    LaunchConfiguration,
    PathJoinSubstitution,
    SubstitutionFailure,
    TextSubstitution,
)
from launch.utilities import (  # noqa: E402
    normalize_to_list_of_substitutions,
    perform_substitutions,
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Restore the environment, which launch actions change, and keep logs in one place."""
    before = dict(os.environ)
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path / "log"))
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def context() -> LaunchContext:
    """A context with two configurations."""
    made = LaunchContext()
    made.launch_configurations["name"] = "front"
    made.launch_configurations["flag"] = "true"
    return made


def run(*entities: Any) -> int:
    """Run a description of the entities; return the status."""
    service = LaunchService(noninteractive=True)
    service.include_launch_description(LaunchDescription(list(entities)))
    return service.run()


def noting(notes: list, read: Callable[[LaunchContext], Any]) -> OpaqueFunction:
    """Return an action that notes something of the context when it is visited."""

    def note(context: LaunchContext) -> None:
        notes.append(read(context))

    return OpaqueFunction(function=note)


def noting_configuration(notes: list, name: str) -> OpaqueFunction:
    """Return an action that notes a launch configuration, or None."""
    return noting(notes, lambda context: context.launch_configurations.get(name))


# -- substitutions ----------------------------------------------------------------------


def known_values() -> list[tuple[Substitution, str]]:
    name = LaunchConfiguration("name")
    return [
        (TextSubstitution(text="a b"), "a b"),
        (name, "front"),
        (LaunchConfiguration("absent", default="x"), "x"),
        (LaunchConfiguration("absent", default=["<", name, ">"]), "<front>"),
        (PathJoinSubstitution(["/opt", name, "file.yaml"]), "/opt/front/file.yaml"),
    ]


@pytest.mark.parametrize("index", range(len(known_values())))
def test_substitution_has_the_documented_value(index: int, context: LaunchContext) -> None:
    substitution, expected = known_values()[index]

    assert substitution.perform(context) == expected


def test_substitution_without_a_value_fails(context: LaunchContext) -> None:
    with pytest.raises(SubstitutionFailure):
        LaunchConfiguration("absent").perform(context)


@given(parts=st.lists(st.text(), min_size=1))
def test_list_of_substitutions_is_joined_without_a_gap(parts: list[str]) -> None:
    mixed = [TextSubstitution(text=part) if len(part) % 2 else part for part in parts]

    performed = perform_substitutions(LaunchContext(), normalize_to_list_of_substitutions(mixed))

    assert performed == "".join(parts)


def test_only_text_and_substitutions_can_be_normalized() -> None:
    with pytest.raises(TypeError):
        normalize_to_list_of_substitutions([3])


# -- conditions -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (IfCondition("true"), True),
        (IfCondition(" 1 "), True),
        (IfCondition("False"), False),
        (IfCondition(LaunchConfiguration("flag")), True),
        (UnlessCondition(LaunchConfiguration("flag")), False),
        (UnlessCondition("0"), True),
    ],
)
def test_condition(condition: Any, expected: bool, context: LaunchContext) -> None:
    assert condition.evaluate(context) is expected


def test_condition_of_another_text_fails_the_launch() -> None:
    assert run(OpaqueFunction(function=lambda context: None, condition=IfCondition("maybe"))) == 1


def test_action_is_executed_only_if_its_condition_holds() -> None:
    notes: list[str] = []
    actions = [
        OpaqueFunction(
            function=lambda context, text=text: notes.append(text), condition=IfCondition(text)
        )
        for text in ("true", "false")
    ]

    assert run(*actions) == 0
    assert notes == ["true"]


# -- arguments --------------------------------------------------------------------------


def test_default_of_an_argument_is_used_only_where_none_is_given() -> None:
    notes: list[str] = []

    status = run(
        SetLaunchConfiguration("given", "mine"),
        DeclareLaunchArgument("given", default_value="default"),
        DeclareLaunchArgument("other", default_value=["of ", LaunchConfiguration("given")]),
        noting_configuration(notes, "given"),
        noting_configuration(notes, "other"),
    )

    assert status == 0
    assert notes == ["mine", "of mine"]


def test_launch_fails_without_a_required_argument() -> None:
    assert run(DeclareLaunchArgument("needed")) == 1


def test_launch_fails_with_a_value_that_is_no_choice() -> None:
    declaration = DeclareLaunchArgument("mode", default_value="a", choices=["a", "b"])

    assert run(SetLaunchConfiguration("mode", "c"), declaration) == 1


def test_default_that_is_no_choice_is_refused_at_once() -> None:
    with pytest.raises(RuntimeError):
        DeclareLaunchArgument("mode", default_value="c", choices=["a", "b"])


def test_description_of_an_argument_names_its_choices() -> None:
    text = DeclareLaunchArgument("mode", description="how to run", choices=["a", "b"]).description

    assert "how to run" in text
    assert "['a', 'b']" in text


def test_arguments_are_found_without_running(tmp_path: Path) -> None:
    inner = tmp_path / "inner.launch.py"
    inner.write_text(
        textwrap.dedent(
            """
            from launch import LaunchDescription
            from launch.actions import DeclareLaunchArgument
            def generate_launch_description():
                return LaunchDescription([DeclareLaunchArgument("inner", default_value="1")])
            """
        )
    )
    description = LaunchDescription(
        [
            DeclareLaunchArgument("outer"),
            GroupAction([DeclareLaunchArgument("grouped")]),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(str(inner))),
            DeclareLaunchArgument("outer", default_value="a second time"),
        ]
    )

    arguments = description.get_launch_arguments()

    assert [argument.name for argument in arguments] == ["outer", "grouped", "inner"]
    assert arguments[0].default_value is None


# -- scopes -----------------------------------------------------------------------------


def test_configurations_and_environment_end_with_a_scoped_group() -> None:
    notes: list[Any] = []
    inside = [
        SetLaunchConfiguration("name", "inner"),
        SetEnvironmentVariable("CONTRACT_SCOPE", "inner"),
        noting_configuration(notes, "name"),
    ]

    status = run(
        SetLaunchConfiguration("name", "outer"),
        GroupAction(inside),
        noting_configuration(notes, "name"),
        noting(notes, lambda context: context.environment.get("CONTRACT_SCOPE")),
    )

    assert status == 0
    assert notes == ["inner", "outer", None]


def test_group_without_a_scope_changes_what_is_outside() -> None:
    notes: list[Any] = []

    run(
        GroupAction([SetLaunchConfiguration("name", "inner")], scoped=False),
        noting_configuration(notes, "name"),
    )

    assert notes == ["inner"]


# -- includes ---------------------------------------------------------------------------


@pytest.fixture
def included(tmp_path: Path) -> Path:
    """A launch file with a required argument, which it passes on in the environment."""
    path = tmp_path / "included.launch.py"
    path.write_text(
        textwrap.dedent(
            """
            from launch import LaunchDescription
            from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
            from launch.substitutions import LaunchConfiguration

            def generate_launch_description():
                return LaunchDescription([
                    DeclareLaunchArgument("needed"),
                    SetEnvironmentVariable("CONTRACT_NEEDED", LaunchConfiguration("needed")),
                ])
            """
        )
    )
    return path


def test_included_description_gets_its_arguments(included: Path) -> None:
    notes: list[Any] = []
    source = PythonLaunchDescriptionSource(
        PathJoinSubstitution([str(included.parent), "included.launch.py"])
    )

    status = run(
        SetLaunchConfiguration("value", "42"),
        IncludeLaunchDescription(
            source, launch_arguments=[("needed", LaunchConfiguration("value"))]
        ),
        noting(notes, lambda context: context.environment["CONTRACT_NEEDED"]),
        noting_configuration(notes, "needed"),
    )

    assert status == 0
    # The last one: an include is no scope.
    assert notes == ["42", "42"]


def test_include_without_a_required_argument_fails(included: Path) -> None:
    assert run(IncludeLaunchDescription(PythonLaunchDescriptionSource(str(included)))) == 1


def test_file_without_a_launch_description_fails(tmp_path: Path) -> None:
    path = tmp_path / "empty.launch.py"
    path.write_text("x = 1\n")

    assert run(IncludeLaunchDescription(PythonLaunchDescriptionSource(str(path)))) == 1
    missing = PythonLaunchDescriptionSource(str(tmp_path / "missing.launch.py"))
    assert run(IncludeLaunchDescription(missing)) == 1


# -- events -----------------------------------------------------------------------------


class Rang(launch.Event):
    """An event of this test."""

    name = "contract.Rang"


def on_ring(notes: list[str], text: str, **kwargs: Any) -> Any:
    return launch.EventHandler(
        matcher=lambda event: isinstance(event, Rang),
        entities=[noting(notes, lambda context: (text, type(context.locals.event)))],
        **kwargs,
    )


def test_handlers_are_called_for_matching_events_the_latest_first() -> None:
    notes: list[Any] = []

    status = run(
        RegisterEventHandler(on_ring(notes, "first")),
        RegisterEventHandler(on_ring(notes, "second", handle_once=True)),
        EmitEvent(event=Rang()),
        EmitEvent(event=Rang()),
    )

    assert status == 0
    assert notes == [("second", Rang), ("first", Rang), ("first", Rang)]


def test_shutdown_handlers_know_the_reason() -> None:
    notes: list[str] = []
    handler = OnShutdown(on_shutdown=[noting(notes, lambda context: context.locals.event.reason)])

    assert run(RegisterEventHandler(handler), Shutdown(reason="because")) == 0
    assert notes == ["because"]


def test_function_may_return_further_actions_and_gets_its_arguments() -> None:
    notes: list[Any] = []

    def more(context: LaunchContext, first: int, second: int) -> list:
        return [noting(notes, lambda context: (first, second))]

    assert run(OpaqueFunction(function=more, args=[1], kwargs={"second": 2})) == 0
    assert notes == [(1, 2)]


def test_exception_in_an_action_fails_the_launch() -> None:
    def fail(context: LaunchContext) -> None:
        raise ValueError("on purpose")

    assert run(OpaqueFunction(function=fail)) == 1


def test_what_is_not_offered_names_the_upstream_package(
    only_here: Callable[[Any], None],
) -> None:
    only_here(launch)
    with pytest.raises(ImportError, match="ROS package 'launch'"):
        from launch.actions import NoSuchAction  # noqa: F401
