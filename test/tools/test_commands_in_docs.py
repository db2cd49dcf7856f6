# SPDX-License-Identifier: Apache-2.0
"""Each command in the documentation exists, with every option and file that it names.

Nothing is run: command lines go through the parsers of the commands themselves. A block whose
commands no test can run says so in the line before it: ``<!-- not run: needs a cluster -->``.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import re
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest
import typer.main

from xd_rcdepth_ros.cli.main import VERBS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "models/README.md"]
PAGES += sorted((ROOT / "docs").glob("*.md"))
PROGRAMS = ("xd-rcdepth", "ros2", "make", "python", "pip", "torchrun")
FENCE = re.compile(r"(?:<!-- not run: (.+?) -->\n+)?^```(\w*)\n(.*?)^```", re.M | re.S)
INDENTED = re.compile(r"^    (\S.*)$", re.M)
INLINE = re.compile(rf"`((?:{'|'.join(PROGRAMS)}) [^`]+)`")

# What runs the commands of blocks: the command's words -> a file that has the last one.
WORKFLOW = ".github/workflows/test.yml"
RUN_BY = {
    "make benchmark": "Makefile",  # its one line is the next
    "xd-rcdepth benchmark": "test/cli/test_benchmark.py",
    "make demo": WORKFLOW,
    "make setup": "tools/setup.sh",
    "make test": WORKFLOW,
    "xd-rcdepth convert astyx": "test/datasets/test_convert_command.py",
    "xd-rcdepth convert camvid": "test/datasets/test_camvid.py",
    "xd-rcdepth convert nuscenes": "test/datasets/test_convert_command.py",
    "xd-rcdepth convert zju": "test/datasets/test_zju.py",
    "xd-rcdepth doctor": "test/ros/test_doctor.py",
    "xd-rcdepth evaluate": "test/evaluation/test_commands.py",
    "xd-rcdepth export": "test/cli/test_export.py",
    "xd-rcdepth predict": "test/evaluation/test_predict.py",
    "xd-rcdepth robustness": "test/evaluation/test_robustness.py",
    "xd-rcdepth simulate": "test/simulation/test_bag.py",
    "xd-rcdepth train": "test/training/test_runs.py",
    "xd-rcdepth view": "test/demo/test_view.py",
    "ros2 bag record": "pypi_ros/test/test_ros2_bag.py",
    "ros2 launch xd_rcdepth_ros depth.launch.py": "test/ros/complaints/complaint_rig.py",
    "ros2 launch xd_rcdepth_ros distill.launch.py": "test/ros/training/test_distillation_node.py",
    "ros2 launch xd_rcdepth_ros multi_camera.launch.py": "test/ros/test_multi_camera.py",
    "ros2 lifecycle": "pypi_ros/test/test_ros2_topic.py",
    "ros2 service": "pypi_ros/test/test_ros2_topic.py",
    "ros2 topic echo": "pypi_ros/test/test_ros2_topic.py",
    "python viz/rerun_blueprint.py": "test/ros/test_viz.py",
}


class Command(NamedTuple):
    """A command line of a page.

    ``whole``: it can be typed as it is. ``marked``: its block is said not to be run.
    """

    page: str
    words: tuple[str, ...]
    block: bool
    whole: bool
    marked: bool

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def split_line(page: Path, line: str, block: bool, marked: bool = False) -> Command | None:
    """Return the command of a line; None if it begins with none of PROGRAMS."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # a line of text
        return None
    while words and re.fullmatch(r"\w+=\S*", words[0]):
        del words[0]  # variables of the environment
    if not words or words[0] not in PROGRAMS:
        return None
    gaps = [word for word in words if word == "..." or word[0] == "[" or word.startswith("${")]
    kept = tuple(word.strip("[]") for word in words if word != "..." and word[:2] != "${")
    return Command(page.name, kept, block, block and not gaps, marked)


def commands_of(page: Path) -> list[Command]:
    """Return the commands of a page: of its blocks, indented lines and code in sentences."""
    text = page.read_text("utf-8").replace("\\\n", " ")
    found = []
    for reason, language, block in FENCE.findall(text):
        if language in ("", "bash", "console"):
            found += [split_line(page, line, True, bool(reason)) for line in block.splitlines()]
    rest = FENCE.sub("", text)
    found += [split_line(page, line, True) for line in INDENTED.findall(rest)]
    found += [split_line(page, " ".join(span.split()), False) for span in INLINE.findall(rest)]
    return [command for command in found if command is not None]


COMMANDS = [command for page in PAGES for command in commands_of(page)]


def of_program(*words: str) -> list[Command]:
    return [command for command in COMMANDS if command.words[: len(words)] == words]


def parse(command: typer.core.TyperCommand, words: tuple[str, ...], whole: bool) -> None:
    """Give words to a command's own parser; raises where it would refuse them."""
    if hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    if whole:
        command.make_context("docs", list(words))
    else:  # what is needed may be left out in a sentence
        context = command.make_context("docs", [], resilient_parsing=True)
        command.make_parser(context).parse_args(list(words))


def test_every_command_of_the_package_is_one_that_it_takes():
    typed = [(c, c.words[1:]) for c in of_program("xd-rcdepth")]
    typed += [(c, c.words[c.words.index("-m") + 2 :]) for c in of_program("torchrun")]
    checked = 0
    for command, (verb, *words) in typed:
        if verb.startswith(("<", "--")) or "--help" in words:
            continue
        assert verb in VERBS, command
        app = importlib.import_module(f"xd_rcdepth_ros.cli.{verb}").app
        try:
            if words or command.block:
                parse(typer.main.get_command(app), tuple(words), command.whole)
        except Exception as error:
            pytest.fail(f"{command}: {getattr(error, 'message', error)!r}")
        checked += 1
    assert checked > 40


def test_every_launch_file_takes_the_arguments_that_it_is_given():
    pytest.importorskip("launch_ros", reason="launch_ros cannot be imported")
    from xd_rcdepth_ros.ros.parameters.table import NodeParameters
    from xd_rcdepth_ros.ros.training.parameters import TrainingParameters

    def declared(name):
        spec = importlib.util.spec_from_file_location(name, ROOT / "launch" / name)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        arguments = module.generate_launch_description().get_launch_arguments()
        return {argument.name: argument.default_value for argument in arguments}

    tables = {"distill.launch.py": TrainingParameters}
    launches = of_program("ros2", "launch", "xd_rcdepth_ros")
    assert len(launches) > 10
    for command in launches:
        name, *words = command.words[3:]
        arguments = declared(name)
        known = {**declared("depth.launch.py"), **arguments} if "replay" in name else arguments
        given = dict(word.split(":=", 1) for word in words if word != "--show-args")
        assert set(given) <= set(known), command
        needed = {name for name, default in arguments.items() if default is None}
        if command.whole and "--show-args" not in words:
            assert needed <= set(given), command
        for spec in tables.get(name, NodeParameters).specs():
            if given.get(spec.name):
                spec.parse(given[spec.name])


def test_every_other_command_of_ros_is_one_that_it_takes():
    pytest.importorskip("ros2cli.verbs", reason="this is ROS's own ros2")
    checked = set()
    for command in of_program("ros2"):
        name, verb, *words = command.words[1:]
        if name in ("launch", "security"):
            continue
        if name == "run":
            package, executable = verb, words[0]
            if package == "xd_rcdepth_ros" and executable != "<verb>":
                nodes = {file.stem for file in (ROOT / "xd_rcdepth_ros/nodes").glob("[a-z]*.py")}
                assert executable in {*nodes, *VERBS}, command
            continue
        one = importlib.util.find_spec(f"ros2cli.verbs.{name}") is not None
        module = importlib.import_module(f"ros2cli.verbs.{name if one else f'{name}_{verb}'}")
        parser = argparse.ArgumentParser(prog=str(command))
        module.add_arguments(parser)
        if command.block or words:
            parser.parse_args([verb, *words] if one else words)
        checked.add(name)
    assert checked >= {"bag", "lifecycle", "service", "topic"}


def test_every_target_extra_and_module_exists():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    settings = makefile + "".join(file.read_text() for file in (ROOT / "tools").glob("*.sh"))
    targets = set(re.findall(r"^(\w+):", makefile, re.M))
    for command in of_program("make"):
        for word in command.words[1:]:
            name, is_variable, _ = word.partition("=")
            if is_variable:
                assert re.search(rf"\b{name}\b", settings), command
            elif re.fullmatch(r"\w+", word) and word == command.words[1]:
                assert word in targets, command
    extras = set(re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.M))
    for command in of_program("pip"):
        named = re.search(r"xd-rcdepth-ros\[(\w+)", " ".join(command.words))
        assert named is None or named[1] in extras, command
    for command in of_program("python", "-m"):
        assert importlib.util.find_spec(command.words[2]), command


def test_every_file_that_is_named_is_there():
    folders = "config|models|viz|rviz|launch|experiments|tools|test"
    found = 0
    for command in COMMANDS:
        for word in command.words[1:]:
            name = re.search(rf"(?:^|=)((?:{folders})/[\w./-]+)$", word)
            if name:
                assert (ROOT / name[1]).exists(), command
                found += 1
    assert found > 10


def test_what_blocks_say_is_run_by_a_test_or_is_marked():
    unused = set(RUN_BY)
    for command in COMMANDS:
        if not command.block or command.marked or command.words[0] == "pip":
            continue
        text = " ".join(command.words)
        (key,) = [key for key in RUN_BY if f"{text} ".startswith(f"{key} ")] or [None]
        assert key is not None, f"{command}: no test runs it, and its block is not marked"
        unused.discard(key)
        assert key.split()[-1].rpartition("/")[2] in (ROOT / RUN_BY[key]).read_text(), key
    assert not unused
