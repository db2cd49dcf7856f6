# SPDX-License-Identifier: Apache-2.0
"""Configurations say which key is wrong, what came, and what was expected."""

from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.training.checkpoints import header_of
from xd_rcdepth_ros.training.config import RunConfig, parse, read_config
from xd_rcdepth_ros.training.overrides import sources_of

MINIMAL = {
    "stage": "teacher",
    "output": "out",
    "train": [{"path": "a"}],
    "validation": [{"path": "b", "split": "val"}],
}

REPOSITORY = Path(__file__).parents[2]
EXPERIMENTS = sorted((REPOSITORY / "experiments").rglob("*.yaml"))
RUNS = [file for file in EXPERIMENTS if {"stage", "base"} & set(yaml.safe_load(file.read_text()))]


def test_a_minimal_run_has_the_documented_defaults():
    config = parse(RunConfig, MINIMAL)
    assert config.size == (352, 704)
    assert config.train[0].share == 1.0
    assert config.validation[0].split == "val"
    assert config.teacher_network.image_encoder == "resnet34"


def test_numbers_as_yaml_writes_them_are_understood(tmp_path):
    file = tmp_path / "run.yaml"
    # YAML 1.1 reads 1e-3 as text and 1 as a whole number.
    file.write_text(yaml.safe_dump(MINIMAL) + "schedule: {learning_rate: 1e-3, weight_decay: 1}\n")
    schedule = read_config(file).schedule
    assert (schedule.learning_rate, schedule.weight_decay) == (0.001, 1.0)


def test_overrides_reach_into_parts(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(MINIMAL))
    config = read_config(file, {"schedule.steps": 7, "seed": 3, "size": [64, 96]})
    assert (config.schedule.steps, config.seed, config.size) == (7, 3, (64, 96))


def test_what_is_written_can_be_read_again():
    config = parse(RunConfig, MINIMAL)
    assert parse(RunConfig, asdict(config)) == config


def test_folders_of_bags_become_sources():
    sources = sources_of(["x", "y"])
    assert [s["path"] for s in sources["train"]] == ["x", "y"]
    assert {s["split"] for s in sources["validation"]} == {"val"}


def test_a_bag_without_splits_is_divided_by_time(bag):
    """As `ros2 bag record` leaves it: the first four fifths teach, the rest validates."""
    sources = sources_of([bag])
    assert [s["part"] for s in sources["train"]] == [[0.0, 0.8]]
    assert [s["part"] for s in sources["validation"]] == [[0.8, 1.0]]
    assert "split" not in sources["train"][0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stage": "both"}, ["stage", "both", "teacher"]),
        ({"size": [100, 96]}, ["size", "100", "multiples of 32"]),
        ({"size": [64]}, ["size", "2 values"]),
        ({"train": []}, ["train", "at least one source"]),
        ({"train": [{"path": "a", "part": [0.8, 0.2]}]}, ["part", "0.8", "ascending"]),
        ({"speed": 3}, ["speed", "learning", "schedule"][:1]),
        ({"schedule": {"steps": 0}}, ["steps", "0", "1 or more"]),
        ({"schedule": {"steps": "many"}}, ["schedule.steps", "many", "int"]),
        ({"schedule": {"rate": 1}}, ["schedule", "rate", "learning_rate"]),
        ({"schedule": {"learning_rate": True}}, ["schedule.learning_rate", "True", "float"]),
        ({"devices": 3}, ["batch_size", "4", "multiple of the 3"]),
        ({"augmentation": {"flip": 2}}, ["augmentation.flip", "2", "probability"]),
        ({"train": [{"path": "a", "share": 0}]}, ["share", "0"]),
        ({"train": [{"path": "a", "radar": "long"}]}, ["source radar", "long", "sparse"]),
        ({"train": [{"path": "a", "radar": "sparse", "lidar": False}]}, ["without lidar"]),
        ({"augmentation": {"weather": -1}}, ["augmentation.weather", "-1", "probability"]),
        ({"train": [{"split": "a"}]}, ["train[0]", "path"]),
        ({"stage": "student"}, ["teacher", "student_objective"]),
        ({"precision": "8"}, ["precision", "8", "bf16-mixed"]),
    ],
)
def test_what_is_wrong_is_named(change, words):
    with pytest.raises(ConfigurationError) as error:
        parse(RunConfig, {**MINIMAL, **change})
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize("text", ["{", "- 1", ""])
def test_a_file_that_is_no_configuration_is_refused(tmp_path, text):
    file = tmp_path / "run.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"run\.yaml"):
        read_config(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml"):
        read_config(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("file", RUNS, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_the_runs_of_the_experiments_are_valid(file):
    assert read_config(file).output.startswith("out/")


@pytest.mark.parametrize(
    "file",
    [file for file in EXPERIMENTS if file not in RUNS],
    ids=lambda file: f"{file.parent.name}/{file.stem}",
)
def test_the_arms_of_the_experiments_are_valid_and_differ(file):
    arms = yaml.safe_load(file.read_text())
    student = file.with_name("student.yaml")
    configs = [read_config(student, {"teacher": "teacher.safetensors", **a}) for a in arms.values()]
    assert len(configs) > 1 and not any(a == b for a, b in combinations(configs, 2))


def test_a_model_file_says_which_radar_was_made():
    values = {
        **MINIMAL,
        "training_data": "KITTI, Astyx.",
        "train": [{"path": "bags/kitti", "radar": "mixed"}, {"path": "bags/astyx"}],
    }
    header = header_of(parse(RunConfig, values), "abc", ())
    assert header.training_data == "KITTI, Astyx. Radar made from lidar: kitti (mixed)."
    assert header_of(parse(RunConfig, MINIMAL), "abc", ()).training_data == ""


def test_a_file_lies_over_its_base(tmp_path):
    source = {"path": "bags"}
    base = {
        "stage": "student", "output": "run", "train": [source], "validation": [source],
        "schedule": {"steps": 7, "batch_size": 2},
        "student_objective": {"explanation": 0, "distribution": 0},
    }  # fmt: skip
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(base))
    (tmp_path / "more").mkdir()
    over = {"base": "../base.yaml", "output": "other", "schedule": {"batch_size": 3}}
    (tmp_path / "more" / "over.yaml").write_text(yaml.safe_dump(over))
    config = read_config(tmp_path / "more" / "over.yaml", {"seed": 4})
    assert (config.output, config.seed) == ("other", 4)
    assert (config.schedule.steps, config.schedule.batch_size) == (7, 3)


def test_a_base_that_is_missing_or_its_own_is_named(tmp_path):
    file = tmp_path / "circle.yaml"
    file.write_text("base: circle.yaml")
    with pytest.raises(ConfigurationError, match=r"base of .*circle\.yaml"):
        read_config(file)
    file.write_text("base: nowhere.yaml")
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml"):
        read_config(file)
