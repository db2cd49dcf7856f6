# SPDX-License-Identifier: Apache-2.0
"""distillation_node over DDS: progress, pause, stop, Ctrl-C, going on, and what cannot be done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.ros
REPOSITORY = Path(__file__).resolve().parents[3]
NAME = "/distillation_node"
STEPS = 10
LONG = ["schedule.steps=2000", "schedule.validate_every=2000"]
WAIT_S = 120.0


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    """A bag of six small frames."""
    from xd_rcdepth_ros.simulation import Drive, DriveSettings, write_bag

    folder = tmp_path_factory.mktemp("recordings") / "drive"
    write_bag(Drive(DriveSettings(seed=3, frames=6, place="country", width=128, height=64)), folder)
    return folder


@pytest.fixture
def parameters(bag, tmp_path):
    """Parameters of a short run of a student without a teacher."""
    config = {
        "stage": "student",
        "focal_length_px": 80.0,
        "size": [64, 96],
        "student": {"decoder_channels": [32, 16, 16, 8], "daspp_growth": 8},
        "student_objective": {"explanation": 0, "distribution": 0},
        "schedule": {"steps": STEPS, "batch_size": 1, "validate_every": STEPS},
        "accelerator": "cpu",
        "workers": 0,
    }
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(config))
    return {
        "config": str(file),
        "recordings": [str(bag)],
        "validation": [str(bag)],
        "output": str(tmp_path / "run"),
    }


class Watcher:
    """The other side: ears for progress and diagnostics, and callers of the services."""

    def __init__(self):
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.executors import SingleThreadedExecutor

        self.node = rclpy.create_node("watcher")
        self.progress, self.statuses = [], []
        self.listen(self.progress)
        self.node.create_subscription(
            DiagnosticArray, "/diagnostics", lambda m: self.statuses.extend(m.status), 10
        )
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._ending = False
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def listen(self, messages):
        from rclpy.qos import DurabilityPolicy, QoSProfile
        from xd_rcdepth_ros.msg import TrainingProgress

        latched = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        topic = f"{NAME}/progress"
        self.node.create_subscription(TrainingProgress, topic, messages.append, latched)

    def _spin(self):
        while not self._ending:
            self._executor.spin_once(timeout_sec=0.1)

    def close(self):
        self._ending = True
        self._thread.join(10)
        self._executor.shutdown()
        self.node.destroy_node()

    def wait(self, condition, what, timeout_s=WAIT_S):
        end = time.monotonic() + timeout_s
        while not (found := condition()):
            assert time.monotonic() < end, f"waited {timeout_s} s for {what}"
            time.sleep(0.02)
        return found

    def wait_for_state(self, name, since=0):
        """Return the first progress of a state after the first ``since`` messages."""
        from xd_rcdepth_ros.msg import TrainingProgress

        state = getattr(TrainingProgress, f"STATE_{name}")
        found = self.wait(lambda: [p for p in self.progress[since:] if p.state == state], name)
        return found[0]

    def wait_for_step(self, step, since=0):
        self.wait(lambda: any(p.step >= step for p in self.progress[since:]), f"step {step}")

    def status(self, level, text=""):
        """Wait for a diagnostic of a level with a text, and return it."""
        return self.wait(
            lambda: next(
                (s for s in reversed(self.statuses) if s.level[0] == level and text in s.message),
                None,
            ),
            f"diagnostics of level {level} with {text!r}",
        )

    def call(self, kind, name, request):
        client = self.node.create_client(kind, f"{NAME}/{name}")
        assert client.wait_for_service(WAIT_S)
        future = client.call_async(request)
        self.wait(future.done, name)
        self.node.destroy_client(client)
        return future.result()

    def trigger(self, name):
        from std_srvs.srv import Trigger

        return self.call(Trigger, name, Trigger.Request())

    def transition(self, label):
        from lifecycle_msgs.srv import ChangeState

        request = ChangeState.Request()
        request.transition.label = label
        return self.call(ChangeState, "change_state", request).success

    def wait_for_lifecycle(self, label):
        from lifecycle_msgs.srv import GetState

        def there():
            got = self.call(GetState, "get_state", GetState.Request())
            return got.current_state.label == label

        self.wait(there, f"lifecycle state {label}")

    def set_parameters(self, **values):
        """Set parameters together; return the reason of a refusal, else ''."""
        from rcl_interfaces.srv import SetParametersAtomically
        from rclpy.parameter import Parameter

        parameters = [Parameter(k, value=v).to_parameter_msg() for k, v in values.items()]
        request = SetParametersAtomically.Request(parameters=parameters)
        result = self.call(SetParametersAtomically, "set_parameters_atomically", request).result
        return "" if result.successful else result.reason


@pytest.fixture
def watcher(ros_context):
    watcher = Watcher()
    yield watcher
    watcher.close()


@contextmanager
def running(command, log):
    """A process group with its output in a file; it is ended at the end."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=environment, start_new_session=True
        )
    process.text = lambda: log.read_text(errors="replace")
    try:
        yield process
    except AssertionError as error:
        raise AssertionError(f"{error}; the node said:\n{process.text()}") from error
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def node(tmp_path, parameters, **more):
    file = tmp_path / "parameters.yaml"
    file.write_text(yaml.safe_dump({"/**": {"ros__parameters": {**parameters, **more}}}))
    command = [sys.executable, "-m", "xd_rcdepth_ros.nodes.distillation_node"]
    with running([*command, "--ros-args", "--params-file", file], tmp_path / "node.log") as process:
        yield process


def test_from_a_wrong_path_to_the_end_with_pause_stop_and_resume(watcher, parameters, tmp_path):
    state_file = Path(parameters["output"]) / "last.ckpt"
    nowhere = str(tmp_path / "nowhere")
    with node(tmp_path, {**parameters, "recordings": [nowhere]}) as process:
        # A wrong path: a reason that can be read, in the diagnostics and in the log.
        status = watcher.status(2, "configure failed")
        assert nowhere in status.message and "xd-rcdepth convert" in status.message
        assert nowhere in process.text()
        answer = watcher.trigger("pause")
        assert not answer.success and "activate" in answer.message
        assert not watcher.transition("configure")
        assert watcher.set_parameters(recordings=parameters["recordings"]) == ""
        assert watcher.transition("configure")
        assert "cannot change while" in watcher.set_parameters(stage="teacher")

        # A paused run takes no steps; stopping it leaves a state, and the node inactive.
        assert watcher.transition("activate")
        assert watcher.trigger("pause").success
        paused = watcher.wait_for_state("PAUSED")
        assert "call ~/resume" in watcher.status(1, "paused").message
        time.sleep(1.0)
        assert watcher.progress[-1].step == paused.step < STEPS - 1
        assert watcher.trigger("stop").success
        stopped = watcher.wait_for_state("STOPPED")
        assert state_file.is_file() and stopped.checkpoint == str(state_file)
        assert stopped.step == paused.step + 1
        watcher.wait_for_lifecycle("inactive")

        # Activating goes on from that very step; after a pause, resume lets it go on to the end.
        before = len(watcher.progress)
        assert watcher.transition("activate")
        assert watcher.trigger("pause").success
        running_again = watcher.wait_for_state("RUNNING", before)
        assert running_again.step == stopped.step
        assert running_again.flags & running_again.FLAG_RESUMED
        watcher.wait_for_state("PAUSED", before)
        assert watcher.trigger("resume").success
        finished = watcher.wait_for_state("FINISHED", before)
        assert finished.step == finished.steps_total == STEPS
        assert finished.validation_mae_m == finished.best_validation_mae_m > 0
        assert finished.run == "run" and finished.stage == "student"
        assert {"total", "dense"} <= set(finished.loss_names)
        assert (state_file.parent / "student.safetensors").is_file()
        assert "finished" in watcher.status(0, "finished").message

        # Who comes late sees the newest.
        late = []
        watcher.listen(late)
        watcher.wait(lambda: late, "the latched progress")
        assert late[0].state == finished.STATE_FINISHED

        # A run that cannot be done: FAILED with the reason, and the node lives on.
        watcher.wait_for_lifecycle("inactive")
        assert watcher.transition("cleanup")
        assert watcher.set_parameters(settings=["seed=7"]) == ""
        assert watcher.transition("configure") and watcher.transition("activate")
        failed = watcher.wait_for_state("FAILED")
        assert "holds a run that differs in seed" in failed.message
        assert watcher.status(2, "differs in seed")
        watcher.wait_for_lifecycle("inactive")
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(60) == 0
        assert "Traceback" not in process.text()


def test_ctrl_c_at_a_launched_run_leaves_a_state_that_the_command_goes_on_from(
    watcher, parameters, tmp_path
):
    from xd_rcdepth_ros.ros.training.parameters import TrainingParameters
    from xd_rcdepth_ros.ros.training.run import run_of
    from xd_rcdepth_ros.training.progress import Control
    from xd_rcdepth_ros.training.runs import run

    lists = {name: ",".join(parameters[name]) for name in ("recordings", "validation")}
    settings = "; ".join([*LONG, "workers=1"])
    given = {**parameters, **lists, "stage": "student", "settings": settings}
    ros2 = Path(sys.executable).parent / "ros2"
    command = [ros2 if ros2.exists() else "ros2", "launch"]
    command += [REPOSITORY / "launch" / "distill.launch.py"]
    command += [f"{name}:={value}" for name, value in given.items()]
    with running(command, tmp_path / "launch.log") as process:
        watcher.wait_for_step(2)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: workers get it as well
        stopped = watcher.wait_for_state("STOPPED")
        process.wait(60)
        assert "Traceback" not in process.text()
    assert Path(stopped.checkpoint).is_file() and stopped.step >= 2
    given = TrainingParameters.from_values({**parameters, "settings": LONG})
    control = Control()
    control.stop()  # after one more step
    result = run(run_of(given), control=control)
    assert result.progress.resumed and result.progress.step == stopped.step + 1


def test_deactivating_saves_even_at_once(watcher, parameters, tmp_path):
    with node(tmp_path, parameters, settings=LONG) as process:
        watcher.wait_for_step(1)
        assert watcher.transition("deactivate")
        stopped = watcher.wait_for_state("STOPPED")
        assert Path(stopped.checkpoint).is_file()
        assert "activate again" in watcher.status(1, "stopped").message
        assert watcher.transition("activate") and watcher.transition("deactivate")  # at once
        before = len(watcher.progress)
        assert watcher.transition("activate")
        watcher.wait_for_state("RUNNING", before)
        for _ in range(2):  # the second one must not interrupt the saving
            os.kill(process.pid, signal.SIGINT)
            time.sleep(0.15)
        assert process.wait(60) == 0
        watcher.wait_for_state("STOPPED", before)
        assert "Traceback" not in process.text()
