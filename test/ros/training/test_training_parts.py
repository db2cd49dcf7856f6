# SPDX-License-Identifier: Apache-2.0
"""What distillation_node is made of: parameters to a run, reports between threads, messages."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

pytest.importorskip("xd_rcdepth_ros.msg", reason="the messages are not built here")

from builtin_interfaces.msg import Time
from rclpy.parameter import Parameter
from xd_rcdepth_ros.msg import TrainingProgress

from xd_rcdepth_ros.errors import CheckpointError, ConfigurationError, DeviceError, RecordingError
from xd_rcdepth_ros.network import ModelHeader, Student, StudentConfig, save_checkpoint
from xd_rcdepth_ros.ros.training import thread as thread_module
from xd_rcdepth_ros.ros.training.parameters import TrainingParameters
from xd_rcdepth_ros.ros.training.run import check_run, run_of, shipped_config
from xd_rcdepth_ros.ros.training.status import progress_message, training_status
from xd_rcdepth_ros.ros.training.thread import REPORT_PERIOD_S, Reports, TrainingThread
from xd_rcdepth_ros.training.overrides import settings_of
from xd_rcdepth_ros.training.progress import Progress, State

pytestmark = pytest.mark.ros
REPOSITORY = Path(__file__).resolve().parents[3]
DIRECT = ("student_objective.explanation=0", "student_objective.distribution=0")
RUNNING = Progress(State.RUNNING, "student", step=3, steps_total=9)


def values(**changes):
    """Return parameters, their defaults where nothing is said."""
    given = {"recordings": ("bags",), "output": "run", "settings": DIRECT, **changes}
    return TrainingParameters(**given)


@pytest.mark.parametrize("stage", ["student", "teacher"])
def test_shipped_configurations_are_sound_and_name_no_path(stage):
    run = run_of(values(stage=stage))
    assert run.stage == stage and run.output == "run"
    assert [(s.path, s.split) for s in run.train] == [("bags", "train")]
    assert [(s.path, s.split) for s in run.validation] == [("bags", "val")]
    text = (REPOSITORY / "config" / "distill" / f"{stage}.yaml").read_text()
    assert shipped_config(stage).read_text() == text  # what is installed is what is here
    assert not [line for line in text.splitlines() if line.startswith(("output", "train", "cache"))]


def test_student_by_default_wants_a_teacher():
    with pytest.raises(ConfigurationError, match="teacher"):
        run_of(values(settings=("",)))
    assert run_of(values(settings=("",), teacher="t.safetensors")).teacher == "t.safetensors"


def test_validation_bags_take_the_recordings_whole():
    run = run_of(values(validation=("others",)))
    assert [(s.path, s.split) for s in run.train] == [("bags", None)]
    assert [(s.path, s.split) for s in run.validation] == [("others", None)]


def test_settings_replace_single_values():
    run = run_of(
        values(settings=(*DIRECT, "schedule.steps=7", "size=[64, 96]", "precision=32-true"))
    )
    assert (run.schedule.steps, run.size, run.precision) == (7, (64, 96), "32-true")
    assert settings_of(["a.b = [1, 2]", ""]) == {"a.b": [1, 2]}
    for wrong in ("steps", "=3", "a=[1"):
        with pytest.raises(ConfigurationError, match="KEY=VALUE"):
            settings_of([wrong])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recordings": ("",), "output": ""}, "recordings and output are empty"),
        ({"config": "nowhere.yaml"}, "nowhere.yaml"),
        ({"settings": ("schedule.stepz=3",)}, "stepz"),
        ({"settings": (*DIRECT, "schedule.steps=0")}, "steps is 0"),
    ],
)
def test_a_run_that_cannot_be_is_refused_by_name(changes, said):
    with pytest.raises(ConfigurationError, match=said):
        run_of(values(**changes))


def test_a_configuration_of_the_other_stage_is_refused():
    with pytest.raises(ConfigurationError, match="Set stage to 'teacher'"):
        run_of(values(config=str(REPOSITORY / "config/distill/teacher.yaml")))


def test_what_this_machine_lacks_is_found_before_the_run(tmp_path, monkeypatch):
    output = str(tmp_path / "run")
    with pytest.raises(RecordingError, match="nowhere"):
        check_run(run_of(values(recordings=(str(tmp_path / "nowhere"),), output=output)))
    monkeypatch.setattr("xd_rcdepth_ros.ros.training.run.find_recordings", lambda *_: [])
    run = run_of(values(output=output))
    check_run(run)
    assert Path(output).is_dir()
    student = tmp_path / "student.safetensors"
    config = StudentConfig(decoder_channels=(16, 8, 8, 8), daspp_growth=4)
    save_checkpoint(student, Student(config), ModelHeader("xd_rcdepth_student", asdict(config)))
    check_run(replace(run, start=str(student)))
    with_teacher = {"settings": ("",), "output": output}
    with pytest.raises(ConfigurationError, match="'cafnet_teacher', a teacher"):
        check_run(run_of(values(teacher=str(student), **with_teacher)))
    with pytest.raises(CheckpointError, match="no model file"):
        check_run(run_of(values(teacher=str(tmp_path / "none.safetensors"), **with_teacher)))
    with pytest.raises(ConfigurationError, match="xd-rcdepth train"):
        check_run(replace(run, devices=2))
    with pytest.raises(ConfigurationError, match="ImageNet"):
        check_run(replace(run, encoders={"image_encoder": str(tmp_path / "none")}))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(DeviceError, match="cuda"):
        check_run(replace(run, accelerator="cuda"))
    student.with_name("file").write_text("in the way")
    with pytest.raises(ConfigurationError, match="cannot be made"):
        check_run(replace(run, output=str(tmp_path / "file" / "run")))


def test_parameters_hold_their_rules():
    specs = {spec.name: spec for spec in TrainingParameters.specs()}
    for name, spec in specs.items():
        spec.check(spec.default)
        assert len(spec.description) > 20, name
        Parameter(
            name, value=list(spec.default) if isinstance(spec.default, tuple) else spec.default
        )
    assert specs["settings"].parse("a=1, 2; b=3") == ("a=1, 2", "b=3")
    specs["settings"].check(("schedule.steps=3", "size=[64, 96]"))
    with pytest.raises(ConfigurationError, match="KEY=VALUE"):
        specs["settings"].check(("steps",))
    with pytest.raises(ConfigurationError, match=r"expected student \| teacher"):
        specs["stage"].check("both")


def test_reports_keep_changes_of_state_and_the_newest():
    reports = Reports()
    assert reports.take(0.0) == []
    for progress in (
        replace(RUNNING, state=State.PREPARING),
        RUNNING,
        replace(RUNNING, step=4),
        replace(RUNNING, state=State.VALIDATING),
        replace(RUNNING, step=5),
    ):
        reports.put(progress)
    due = reports.take(10.0)
    assert [(p.state.value, p.step) for p in due] == [
        ("preparing", 3), ("running", 4), ("validating", 3), ("running", 5)
    ]  # fmt: skip
    reports.put(replace(RUNNING, step=6))
    reports.put(replace(RUNNING, step=7))
    assert reports.take(10.0 + 0.9 * REPORT_PERIOD_S) == []
    assert [p.step for p in reports.take(10.0 + 1.1 * REPORT_PERIOD_S)] == [7]
    reports.put(replace(RUNNING, state=State.FINISHED))
    assert len(reports.take(10.0 + 1.2 * REPORT_PERIOD_S)) == 1


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RecordingError("the bag b cannot be read."), "the bag b cannot be read."),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
        (FloatingPointError("nan"), "FloatingPointError: nan"),
    ],
)
def test_whatever_a_run_throws_is_its_last_report(monkeypatch, error, said):
    def broken(config, resume, report, control):
        report(RUNNING)
        raise error

    monkeypatch.setattr(thread_module, "run", broken)
    thread = TrainingThread(run_of(values()), resume=True)
    thread.join(30)
    assert not thread.alive and thread.result is None
    end = thread.reports.take(time.monotonic())[-1]
    assert (end.state, end.message, end.step) == (State.FAILED, said, 3)


def test_a_run_is_stopped_while_it_prepares(monkeypatch):
    def preparing(config, resume, report, control):
        for _ in range(3000):
            report(Progress(State.PREPARING, "student"))
            time.sleep(0.01)

    monkeypatch.setattr(thread_module, "run", preparing)
    thread = TrainingThread(run_of(values()), resume=True)
    thread.stop()
    thread.join(20)
    end = thread.reports.take(time.monotonic())[-1]
    assert (end.state, end.message) == (State.STOPPED, "stopped before the first step")


def test_progress_becomes_a_message_field_by_field():
    progress = Progress(
        State.VALIDATING, "student", step=30, steps_total=90, epoch=2,
        losses={"total": 1.5, "dense": 2.5}, learning_rate=1e-3, samples_per_s=8.0,
        validation_mae_m=1.9, best_validation_mae_m=1.8, is_best=False, nonfinite_steps=2,
        resumed=True, elapsed_s=75.25, remaining_s=150.0, checkpoint="run/last.ckpt", message="m",
    )  # fmt: skip
    run = run_of(values(output="some/where/run7"))
    message = progress_message(progress, run, Time(sec=5), nonfinite_before=1)
    assert (message.state, message.stage, message.run) == (3, "student", "run7")
    assert message.flags == TrainingProgress.FLAG_RESUMED | TrainingProgress.FLAG_NONFINITE_LOSS
    assert (message.epoch, message.step, message.steps_total) == (2, 30, 90)
    assert dict(zip(message.loss_names, message.losses, strict=True)) == progress.losses
    assert (message.elapsed.sec, message.elapsed.nanosec) == (75, 250_000_000)
    assert (message.remaining.sec, message.header.stamp.sec) == (150, 5)
    assert message.validation_mae_m == pytest.approx(1.9)
    assert (message.checkpoint, message.message) == ("run/last.ckpt", "m")
    fresh = progress_message(RUNNING, run, Time())
    assert fresh.flags == 0 and math.isnan(fresh.validation_mae_m) and fresh.checkpoint == ""
    best = progress_message(replace(progress, is_best=True), run, Time(), nonfinite_before=2)
    assert best.flags == TrainingProgress.FLAG_RESUMED | TrainingProgress.FLAG_BEST


@pytest.mark.parametrize(
    ("progress", "nonfinite", "level", "said"),
    [
        (None, 0, 3, "nothing is trained"),
        (RUNNING, 0, 0, "running at step 3 of 9"),
        (replace(RUNNING, state=State.FINISHED), 0, 0, "finished"),
        (replace(RUNNING, state=State.PAUSED), 0, 1, "~/resume"),
        (replace(RUNNING, state=State.STOPPED), 0, 1, "activate again"),
        (replace(RUNNING, state=State.FAILED, message="No bag."), 0, 2, "No bag."),
        (RUNNING, 2, 1, "learning_rate"),
        (replace(RUNNING, data_wait_share=0.5), 0, 1, "50 % of the time: raise workers"),
    ],
)
def test_diagnostics_say_what_to_do(progress, nonfinite, level, said):
    run = run_of(values(output="."))
    status = training_status("/d", "active", "", run, progress, nonfinite, 4)
    assert (status.level[0], status.name) == (level, "d: training") and said in status.message
    problem = training_status("/d", "unconfigured", "configure failed: no bag", None, progress)
    assert (problem.level[0], problem.message) == (2, "configure failed: no bag")


def test_diagnostics_warn_of_a_full_disk(monkeypatch):
    monkeypatch.setattr("xd_rcdepth_ros.ros.training.status._free_gb", lambda folder: 0.2)
    status = training_status("/d", "active", "", run_of(values()), RUNNING)
    assert status.level[0] == 1 and "0.20 GB are free" in status.message
