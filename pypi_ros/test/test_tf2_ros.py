# SPDX-License-Identifier: Apache-2.0
"""Contract of tf2_ros: transforms from other processes, and jumps of time."""

import pytest

tf2_ros = pytest.importorskip("tf2_ros", reason="tf2_ros is not installed")
pytest.importorskip("tf2_msgs", reason="tf2_msgs is not installed")

from geometry_msgs.msg import TransformStamped  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.time import Time  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402

BROADCASTER = """
    import time
    import rclpy
    from geometry_msgs.msg import TransformStamped
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from rclpy.time import Time
    from tf2_msgs.msg import TFMessage

    rclpy.init()
    node = rclpy.create_node("broadcaster")
    moving = node.create_publisher(TFMessage, "/tf", 100)
    static = node.create_publisher(
        TFMessage, "/tf_static", QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    )

    def link(parent, child, x, stamp=0):
        message = TransformStamped()
        message.header.frame_id, message.child_frame_id = parent, child
        message.header.stamp = Time(nanoseconds=stamp).to_msg()
        message.transform.translation.x = x
        return message

    links = [link("base", "camera", 2.0), link("base", "radar", 3.0), link("base", "lidar", 1.0)]
    static.publish(TFMessage(transforms=links))
    for tick in range(100000):
        stamp = 10**9 + tick * 10**7
        moving.publish(TFMessage(transforms=[link("odom", "base", tick * 0.1, stamp)]))
        time.sleep(0.01)
"""


def link(parent: str, child: str, seconds: float = 0.0, x: float = 0.0) -> TransformStamped:
    message = TransformStamped()
    message.header.frame_id = parent
    message.child_frame_id = child
    message.header.stamp = Time(nanoseconds=round(seconds * 1e9)).to_msg()
    message.transform.translation.x = x
    return message


def test_transforms_arrive_from_another_process(spun, beside, eventually):
    beside(BROADCASTER)
    buffer = tf2_ros.Buffer(node=spun)
    listener = tf2_ros.TransformListener(buffer, spun)
    assert eventually(lambda: buffer.can_transform("odom", "lidar", Time()))
    assert eventually(lambda: buffer.can_transform("camera", "radar", Time()))
    assert buffer.lookup_transform("camera", "radar", Time()).transform.translation.x == 1.0
    first = buffer.lookup_transform("odom", "camera", Time())
    stamp = first.header.stamp.sec + first.header.stamp.nanosec * 1e-9
    # base moves 0.1 m every 10 ms since 1 s; the camera is 2 m ahead of it
    assert first.transform.translation.x == pytest.approx(10 * (stamp - 1) + 2)
    listener.unregister()


LISTENER = """
    import time
    import rclpy
    import tf2_ros
    from rclpy.time import Time

    rclpy.init()
    node = rclpy.create_node("listener")
    buffer = tf2_ros.Buffer()
    listener = tf2_ros.TransformListener(buffer, node, spin_thread=True)
    while not buffer.can_transform("odom", "camera", Time()):
        time.sleep(0.02)
    found = buffer.lookup_transform("odom", "camera", Time())
    print("found", found.child_frame_id, flush=True)
    rclpy.shutdown()
"""


def test_listener_may_spin_its_node_itself(beside):
    beside(BROADCASTER)
    listener = beside(LISTENER)
    said, _ = listener.communicate(timeout=60)
    assert said == "found camera\n"


@pytest.mark.skipif(
    not hasattr(tf2_ros.Buffer, "time_jump_callback"),
    reason="this tf2_ros does not watch the clock yet (Humble)",
)
def test_buffer_of_a_node_is_emptied_when_simulated_time_jumps_back(spun, eventually):
    spun.set_parameters([Parameter("use_sim_time", value=True)])
    clock = spun.create_publisher(Clock, "/clock", 10)

    def shows(seconds: int) -> bool:
        clock.publish(Clock(clock=Time(nanoseconds=seconds * 10**9).to_msg()))
        return spun.get_clock().now().nanoseconds == seconds * 10**9

    assert eventually(lambda: shows(100))
    buffer = tf2_ros.Buffer(node=spun)
    buffer.set_transform(link("odom", "base", 100.0), "test")
    buffer.set_transform_static(link("base", "camera"), "test")
    assert eventually(lambda: shows(101))
    assert buffer.can_transform("odom", "base", Time())
    assert eventually(lambda: shows(10))
    assert eventually(lambda: not buffer.can_transform("odom", "base", Time()))
    assert buffer.can_transform("base", "camera", Time())
