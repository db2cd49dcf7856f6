# SPDX-License-Identifier: Apache-2.0
"""Whole runs from a bag: they learn, stop and resume to the same weights, distil, and fail well."""

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import yaml

from xd_rcdepth_ros.cli.main import main
from xd_rcdepth_ros.errors import CheckpointError, ConfigurationError, RecordingError, TrainingError
from xd_rcdepth_ros.inference import DepthEstimator
from xd_rcdepth_ros.network import StudentConfig, Teacher, TeacherConfig, load_checkpoint
from xd_rcdepth_ros.network.checkpoint import ModelHeader, save_checkpoint
from xd_rcdepth_ros.recordings.reader import Recording
from xd_rcdepth_ros.training.progress import Control, State
from xd_rcdepth_ros.training.runs import run

SMALL_TEACHER = {
    "image_encoder": "mobilenet_v2",
    "radar_encoder": "mobilenet_v2",
    "decoder_width": 64,
    "confidence_channels": [32, 16, 16, 8, 8],
}


def with_schedule(config, **changes):
    """Return a run with another schedule."""
    return replace(config, schedule=replace(config.schedule, **changes))


def weights(folder):
    state = torch.load(Path(folder) / "last.ckpt", weights_only=True)
    return state["state_dict"], state["optimizer_states"][0]["state"]


def assert_same_state(one, two):
    (values, moments), (others, other_moments) = weights(one), weights(two)
    assert values.keys() == others.keys()
    for name, value in values.items():
        torch.testing.assert_close(value, others[name], rtol=0, atol=0, msg=name)
    for number, moment in moments.items():
        torch.testing.assert_close(moment["exp_avg"], other_moments[number]["exp_avg"])


def stop_at(step):
    """Return a control and a report that stop a run after a step."""
    control = Control()

    def report(progress):
        if progress.step == step:
            control.stop()

    return control, report


@pytest.fixture(scope="module")
def finished(make_config, tmp_path_factory):
    """A run that has ended: its configuration, its result, and what it reported."""
    config, seen = make_config(tmp_path_factory.mktemp("finished") / "run"), []
    return config, run(config, report=seen.append), seen


@pytest.fixture
def copied(finished, config):
    """The configuration of a copy of that run, to be changed by the test."""
    shutil.copytree(finished[0].output, config.output)
    return config


def test_a_run_leaves_a_model_that_estimates_depth(finished, bag):
    config, result, seen = finished
    assert result.progress.state == State.FINISHED
    assert result.progress.step == 4
    assert [p.step for p in seen if p.state == State.VALIDATING] == [2, 4]
    assert result.progress.best_validation_mae_m < 100
    assert 0 <= result.progress.data_wait_share <= 1
    estimator = DepthEstimator.load(result.model, "cpu", "torch")
    assert estimator.info.header.metrics["validation_mae_m"] == pytest.approx(
        result.progress.best_validation_mae_m
    )
    with Recording(bag) as recording:
        depth = estimator.estimate(recording.frame(0)).depth_m
    assert ((depth > 0) & (depth < 100)).all()
    rows = list(csv.DictReader((Path(config.output) / "curves" / "part-0" / "metrics.csv").open()))
    assert sum(bool(row["validation/mae_m"]) for row in rows) == 2
    assert list((Path(config.output) / "tensorboard").iterdir())


def test_the_loss_falls(config):
    seen = []
    longer = with_schedule(config, steps=25, validate_every=25, learning_rate=2e-3)
    run(longer, report=seen.append)
    losses = [p.losses["total"] for p in seen if p.state == State.RUNNING and p.losses]
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])


def test_a_stopped_run_goes_on_to_the_same_weights(finished, config):
    control, report = stop_at(3)  # between two validations
    stopped = run(config, report=report, control=control)
    assert stopped.progress.state == State.STOPPED
    assert stopped.progress.step == 3
    assert Path(stopped.progress.checkpoint).is_file()
    resumed = run(config)
    assert resumed.progress.state == State.FINISHED
    assert resumed.progress.resumed
    assert resumed.progress.step == 4
    assert len(list((Path(config.output) / "curves").iterdir())) == 2
    assert_same_state(config.output, finished[0].output)


def test_workers_change_nothing(finished, config):
    run(replace(config, workers=2))
    assert_same_state(config.output, finished[0].output)


def test_a_finished_run_stays_finished(finished, copied):
    _, first, _ = finished
    again = run(copied)
    assert again.progress.state == State.FINISHED
    assert again.progress.step == 4
    assert again.progress.best_validation_mae_m == first.progress.best_validation_mae_m


def test_validation_without_progress_ends_the_run(config):
    # A rate of next to nothing: the second validation is no better than the first.
    slow = with_schedule(
        config, steps=40, validate_every=1, patience=2, learning_rate=1e-30, average=0.0,
        freeze_statistics=True,
    )  # fmt: skip
    result = run(slow)
    assert result.progress.state == State.FINISHED
    assert result.progress.step < 10
    assert "no better validation 2 times" in result.progress.message


def test_a_step_whose_loss_is_not_finite_is_left_out(config, monkeypatch):
    from xd_rcdepth_ros.training import tasks

    true_loss, calls = tasks.student_loss, []

    def broken(*arguments):
        loss, terms, depth = true_loss(*arguments)
        calls.append(1)
        return (loss * float("nan") if len(calls) == 3 else loss), terms, depth

    monkeypatch.setattr(tasks, "student_loss", broken)
    result = run(with_schedule(config, validate_every=4))
    assert result.progress.nonfinite_steps == 1
    values, _ = weights(config.output)
    assert all(torch.isfinite(v).all() for v in values.values() if v.is_floating_point())


def test_a_run_that_diverged_ends(config, monkeypatch):
    from xd_rcdepth_ros.training import tasks

    true_loss = tasks.student_loss

    def broken(*arguments):
        loss, terms, depth = true_loss(*arguments)
        return loss * float("nan"), terms, depth

    monkeypatch.setattr(tasks, "student_loss", broken)
    monkeypatch.setattr(tasks, "MAX_NONFINITE_STEPS", 3)
    with pytest.raises(TrainingError, match="3 steps in a row"):
        run(config)


def test_the_student_learns_from_a_teacher_and_then_needs_it_no_more(config, bag, tmp_path):
    teacher = replace(
        config,
        stage="teacher",
        output=str(tmp_path / "teacher"),
        teacher_network=replace(
            TeacherConfig(), **{**SMALL_TEACHER, "confidence_channels": (32, 16, 16, 8, 8)}
        ),
    )
    taught = run(with_schedule(teacher, steps=2))
    assert set(taught.progress.losses) >= {"dense", "coarse", "confidence", "total"}
    objective = replace(config.student_objective, explanation=1.0, distribution=1.0)
    student = replace(config, teacher=str(taught.model), student_objective=objective, variants=2)
    first = run(with_schedule(student, steps=7))  # 14 samples of 6 frames in 2 variants
    assert set(first.progress.losses) >= {"explanation", "distribution", "total"}
    kept = list((Path(student.output) / "cache" / "references").rglob("*.npy"))
    assert len(kept) == 2 * 6 * 2  # depth and one map for each variant of each frame
    with Recording(bag) as recording:
        frame = recording.frame(0)
    before = DepthEstimator.load(first.model, "cpu", "torch").estimate(frame).depth_m
    Path(taught.model).unlink()
    after = DepthEstimator.load(first.model, "cpu", "torch").estimate(frame).depth_m
    assert (before == after).all()


def test_a_run_starts_from_a_model(finished, config):
    _, first, _ = finished
    again = replace(config, start=str(first.model))
    frozen = with_schedule(again, learning_rate=1e-30, freeze_statistics=True, average=0.0)
    second = run(frozen)
    one, _ = load_checkpoint(first.model)
    two, _ = load_checkpoint(second.model)
    for name, value in one.state_dict().items():
        torch.testing.assert_close(value, two.state_dict()[name], msg=name)


def test_a_run_of_another_configuration_is_not_taken_up(copied):
    with pytest.raises(ConfigurationError, match="seed"):
        run(replace(copied, seed=1))
    assert run(replace(copied, seed=1), resume=False).progress.step == 4


def test_a_damaged_state_is_named(copied):
    (Path(copied.output) / "last.ckpt").write_bytes(b"no state")
    with pytest.raises(CheckpointError, match=r"last\.ckpt"):
        run(copied)


def test_missing_bags_are_named(config, tmp_path):
    nowhere = replace(config.train[0], path=str(tmp_path / "nowhere"))
    with pytest.raises(RecordingError, match="nowhere"):
        run(replace(config, train=(nowhere,)))


def test_a_start_of_the_wrong_kind_is_refused(config, tmp_path):
    small = TeacherConfig(**{**SMALL_TEACHER, "confidence_channels": (32, 16, 16, 8, 8)})
    file = tmp_path / "teacher.safetensors"
    save_checkpoint(file, Teacher(small), ModelHeader("cafnet_teacher", asdict(small)))
    with pytest.raises(CheckpointError, match="holds a Teacher"):
        run(replace(config, start=str(file)))


def test_two_processes_learn_what_one_does(config, tmp_path):
    """The statistics are frozen and the loss is a mean over all pixels, so only the split differs.

    A loss over known pixels weighs each process' own number of them.
    """
    ground = replace(config.student_objective, dense=0.0, single=0.0, smoothness=1.0)
    # The full student: where a narrow one's gradients are next to nothing, Adam scales up rounding.
    wide = replace(config, student=StudentConfig(), student_objective=ground)
    same = with_schedule(wide, freeze_statistics=True, gradient_clip=1e6)
    one = run(same).progress
    file = write_run(tmp_path, same)
    done = subprocess.run(
        [sys.executable, "-m", "xd_rcdepth_ros.cli.main", "train", file, "--output",
         tmp_path / "two", "--set", "devices=2", "--json", tmp_path / "two.json"],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""}, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    values, _ = weights(same.output)
    others, _ = weights(tmp_path / "two")
    for name, value in values.items():
        torch.testing.assert_close(value, others[name], rtol=2e-3, atol=2e-4, msg=name)
    two = json.loads((tmp_path / "two.json").read_text())
    assert two["validation_mae_m"] == pytest.approx(one.validation_mae_m, rel=1e-3)


def test_the_command_says_where_the_run_ended(config, tmp_path, capsys):
    command = ["train", str(write_run(tmp_path, config))]
    end_file = tmp_path / "end.json"
    assert main([*command, "--json", str(end_file), "--set", "schedule.steps=2"]) == 0
    assert "finished at step 2" in capsys.readouterr().err
    end = json.loads(end_file.read_text())
    assert end["state"] == "finished"
    assert Path(end["model"]).is_file()
    assert main([*command, "--set", "schedule.steps=none"]) == 1
    assert "schedule.steps" in capsys.readouterr().err


def write_run(folder, config):
    """Write a run as YAML and return the file."""
    file = folder / "run.yaml"
    file.write_text(yaml.safe_dump(json.loads(json.dumps(asdict(config)))))
    return file


def test_a_run_begun_anew_leaves_no_state_of_the_old_one_to_resume(config, tmp_path):
    folder = Path(config.output)
    folder.mkdir()
    (folder / "last.ckpt").write_bytes(b"of an older run")
    lost = replace(config, train=(replace(config.train[0], path=str(tmp_path / "none")),))
    with pytest.raises(RecordingError):
        run(lost, resume=False)
    assert not (folder / "last.ckpt").exists()
