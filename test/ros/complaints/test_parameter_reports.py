# SPDX-License-Identifier: Apache-2.0
"""Public reports about parameters, launch arguments and lifecycle managers, over real DDS."""

from __future__ import annotations

import subprocess
import time

import pytest
from complaint_rig import ROS2

pytestmark = pytest.mark.ros


def ros2(*arguments: str) -> str:
    command = [str(ROS2) if ROS2.exists() else "ros2", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def parameters_of_node(rig, *names):
    """Return the values as messages, by name."""
    from rcl_interfaces.srv import GetParameters

    client = rig.node.create_client(GetParameters, "/depth_node/get_parameters")
    assert client.wait_for_service(20)
    future = client.call_async(GetParameters.Request(names=list(names)))
    rig.wait(future.done, "the parameter service")
    rig.node.destroy_client(client)
    return dict(zip(names, future.result().values, strict=True))


class FakeLifecycleManager:
    """Makes the calls of nav2's lifecycle manager with bond_timeout 0: by id, then the state."""

    def __init__(self, rig):
        from lifecycle_msgs.srv import ChangeState, GetState

        self._rig, self._change, self._get = rig, ChangeState, GetState
        self._clients = {
            kind: rig.node.create_client(kind, f"/depth_node/{name}")
            for kind, name in ((ChangeState, "change_state"), (GetState, "get_state"))
        }
        for client in self._clients.values():
            assert client.wait_for_service(20)

    def call(self, kind, request):
        future = self._clients[kind].call_async(request)
        self._rig.wait(future.done, kind.__name__, 60)
        return future.result()

    def state(self):
        return self.call(self._get, self._get.Request()).current_state.label

    def change(self, transition, reached):
        """Ask for a transition; True if it succeeded and the node is in the state it leads to."""
        request = self._change.Request()
        request.transition.id = transition
        return self.call(self._change, request).success and self.state() == reached


def test_unknown_parameter_and_integer_for_a_double(rig, launch):
    """A misspelt name had no effect and no word; `param set depth.max 60` was refused."""
    node = launch(
        parameters={
            "sync.windw": 0.2,
            "radar.front.field.rcs": "power",
            "radar.left.fields.rcs": "power",
            "qos_overrides./camera_inf.subscription.depth": 3,
            "depth.max": 70,
        },
    )
    node.wait_for_text("parameter qos_overrides./camera_inf.subscription.depth is not known")
    warnings = [line for line in node.text.splitlines() if "[WARN]" in line]
    for name, meant in (
        ("sync.windw", "did you mean sync.window?"),
        ("radar.front.field.rcs", "did you mean radar.front.fields.rcs?"),
        ("radar.left.fields.rcs", "radars = ['front'] does not name left"),
        ("qos_overrides./camera_inf", "qos_overrides./camera_info.subscription.depth?"),
    ):
        assert [line for line in warnings if f"parameter {name}" in line and meant in line], name
    assert parameters_of_node(rig, "depth.max")["depth.max"].double_value == 70.0
    assert "successful" in ros2("param", "set", "/depth_node", "depth.max", "60")
    assert parameters_of_node(rig, "depth.max")["depth.max"].double_value == 60.0
    assert "Max: 1000.0" in ros2("param", "set", "/depth_node", "depth.max", "5000")
    assert "expected" in ros2("param", "set", "/depth_node", "depth.max", "far").lower()


def test_launch_overrides_params_file_and_nav2_manages_the_node(rig, launch):
    """navigation2#4693: a lifecycle manager without bond; the params file says who starts."""
    from lifecycle_msgs.msg import Transition

    node = launch(
        "radar_topics:=/ars/points",
        parameters={"radars": ["rear"], "use_sim_time": True, "autostart": False},
        wait="",
    )
    manager = FakeLifecycleManager(rig)
    values = parameters_of_node(rig, "use_sim_time", "autostart")
    assert values["use_sim_time"].bool_value and not values["autostart"].bool_value
    assert manager.state() == "unconfigured"
    assert manager.change(Transition.TRANSITION_CONFIGURE, "inactive")
    assert manager.change(Transition.TRANSITION_ACTIVATE, "active")
    node.wait_for_text("active; listening to /camera_info, /image, /ars/points")
    assert not manager.change(Transition.TRANSITION_CONFIGURE, "inactive")  # not from here
    assert manager.state() == "active"
    assert manager.change(Transition.TRANSITION_DEACTIVATE, "inactive")
    assert manager.change(Transition.TRANSITION_CLEANUP, "unconfigured")
    assert manager.change(Transition.TRANSITION_UNCONFIGURED_SHUTDOWN, "finalized")
    assert "Traceback" not in node.text


@pytest.mark.parametrize("overrides", [{}, {"durability": "transient_local"}])
def test_latched_camera_info(rig, launch, overrides):
    """It is published once, before the node starts: by default, and where durability is given."""
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from sensor_msgs.msg import CameraInfo

    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    publisher = rig.node.create_publisher(CameraInfo, "/once/info", latched)
    publisher.publish(rig.info(rig.stamp_ns))
    prefix = "qos_overrides./once/info.subscription"
    node = launch(
        "camera_info:=/once/info",
        parameters={
            "watchdog.timeout": 0.5,
            **{f"{prefix}.{policy}": value for policy, value in overrides.items()},
        },
    )
    rig.connect("image", "radar", "tf_static")
    rig.send_static()
    rig.stamp_ns += 100_000_000
    rig.send("radar", rig.cloud(rig.stamp_ns))
    rig.send("image", rig.image(rig.stamp_ns))
    rig.wait_for_stamp(rig.stamp_ns)
    assert "is not known" not in node.text and "QoS" not in node.text
    time.sleep(1.0)  # twice watchdog.timeout: what is published once is not silent
    rig.send("image", rig.image(rig.stamp_ns + 100_000_000))
    rig.wait(lambda: rig.diagnostics("input image").get("received") == "2", "diagnostics")
    assert rig.diagnostics("input camera_info")["level"] == "0"
    rig.node.destroy_publisher(publisher)
