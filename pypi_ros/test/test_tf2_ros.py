# SPDX-License-Identifier: Apache-2.0
"""Contract of tf2_ros: transforms between processes, waiting for them, and jumps of time."""

import threading

import pytest

tf2_ros = pytest.importorskip("tf2_ros", reason="tf2_ros is not installed")
pytest.importorskip("tf2_msgs", reason="tf2_msgs is not installed")

from geometry_msgs.msg import TransformStamped  # noqa: E402
from rclpy.duration import Duration  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.time import Time  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from tf2_msgs.msg import TFMessage  # noqa: E402
from tf2_msgs.srv import FrameGraph  # noqa: E402

BROADCASTER = """
    import time
    import rclpy
    from geometry_msgs.msg import TransformStamped
    from rclpy.time import Time
    from tf2_ros import StaticTransformBroadcaster, TransformBroadcaster

    rclpy.init()
    node = rclpy.create_node("broadcaster")
    static, moving = StaticTransformBroadcaster(node), TransformBroadcaster(node)

    def link(parent, child, x, stamp=0):
        message = TransformStamped()
        message.header.frame_id, message.child_frame_id = parent, child
        message.header.stamp = Time(nanoseconds=stamp).to_msg()
        message.transform.translation.x = x
        return message

    static.sendTransform(link("base", "camera", 2.0))
    static.sendTransform([link("base", "radar", 3.0), link("base", "lidar", 1.0)])
    for tick in range(100000):
        moving.sendTransform([link("odom", "base", tick * 0.1, 10**9 + tick * 10**7)])
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
    # wait for a time that is yet to come; another thread fills the buffer
    later = Time.from_msg(first.header.stamp) + Duration(nanoseconds=305_000_000)
    waited = buffer.lookup_transform("odom", "camera", later, timeout=Duration(seconds=10))
    assert waited.transform.translation.x == pytest.approx(10 * (stamp - 1 + 0.305) + 2)
    listener.unregister()


LISTENER = """
    import rclpy
    import tf2_ros
    from rclpy.duration import Duration
    from rclpy.time import Time

    rclpy.init()
    node = rclpy.create_node("listener")
    buffer = tf2_ros.Buffer()
    listener = tf2_ros.TransformListener(buffer, node, spin_thread=True)
    found = buffer.lookup_transform("odom", "camera", Time(), timeout=Duration(seconds=30))
    print("found", found.child_frame_id, flush=True)
    rclpy.shutdown()
"""


def test_listener_may_spin_its_node_itself(beside):
    beside(BROADCASTER)
    listener = beside(LISTENER)
    said, _ = listener.communicate(timeout=60)
    assert said == "found camera\n"


def test_static_broadcaster_keeps_all_it_sent_for_late_listeners(spun, eventually):
    early = tf2_ros.StaticTransformBroadcaster(spun)
    for child in ("camera", "radar", "lidar"):
        early.sendTransform(link("base", child))
    buffer = tf2_ros.Buffer()
    listener = tf2_ros.TransformListener(buffer, spun)
    for child in ("camera", "radar", "lidar"):
        assert eventually(lambda child=child: buffer.can_transform("base", child, Time()))
    listener.unregister()


def test_static_broadcaster_sends_a_corrected_pose(spun, eventually, only_here):
    only_here(tf2_ros)
    broadcaster = tf2_ros.StaticTransformBroadcaster(spun)
    buffer = tf2_ros.Buffer()
    listener = tf2_ros.TransformListener(buffer, spun)
    for x in (1.0, 2.0):
        broadcaster.sendTransform(link("base", "camera", x=x))
        assert eventually(lambda: buffer.can_transform("base", "camera", Time()))
    assert eventually(
        lambda: buffer.lookup_transform("base", "camera", Time()).transform.translation.x == 2.0
    )
    listener.unregister()


def test_listener_takes_other_topics(spun, eventually):
    buffer = tf2_ros.Buffer()
    listener = tf2_ros.TransformListener(
        buffer, spun, tf_topic="/other/tf", tf_static_topic="/other/tf_static", qos=10
    )
    publisher = spun.create_publisher(TFMessage, "/other/tf", 10)

    def arrives() -> bool:
        publisher.publish(TFMessage(transforms=[link("odom", "base", 1.0)]))
        return buffer.can_transform("odom", "base", Time())

    assert eventually(arrives)
    listener.unregister()


def test_timeout_ends_the_waiting():
    buffer = tf2_ros.Buffer()
    with pytest.raises(tf2_ros.LookupException, match="base"):
        buffer.lookup_transform("base", "camera", Time(), timeout=Duration(seconds=0.2))
    question = ("camera", Time(), "base", Time(), "odom", Duration(seconds=0.1))
    assert not buffer.can_transform_full(*question)


def test_waiting_ends_when_the_transform_comes():
    buffer = tf2_ros.Buffer()
    timer = threading.Timer(0.1, buffer.set_transform, (link("base", "camera", 1.0, 4.0), "test"))
    timer.start()
    found = buffer.lookup_transform("base", "camera", Time(), timeout=Duration(seconds=20))
    assert found.transform.translation.x == 4.0
    timer.join()


def test_future_gets_the_transform(node):
    buffer = tf2_ros.Buffer()
    question = ("base", "camera", Time(nanoseconds=1_500_000_000))
    future = buffer.wait_for_transform_async(*question)
    buffer.set_transform(link("base", "camera", 1.0, 1.0), "test")
    assert not future.done()
    buffer.set_transform(link("base", "camera", 2.0, 3.0), "test")
    assert future.done()
    assert buffer.wait_for_transform_async(*question).done()  # known already

    found = []

    async def ask() -> None:
        found.append(await buffer.lookup_transform_async(*question))

    with pytest.raises(StopIteration):
        ask().send(None)
    assert found[0].transform.translation.x == 2.0


def test_future_through_a_fixed_frame(node):
    buffer = tf2_ros.Buffer()
    early, late = Time(nanoseconds=10**9), Time(nanoseconds=2 * 10**9)
    future = buffer.wait_for_transform_full_async("base", late, "base", early, "odom")
    buffer.set_transform(link("odom", "base", 1.0, 10.0), "test")
    assert not future.done()
    buffer.set_transform(link("odom", "base", 2.0, 15.0), "test")
    assert future.done()
    assert future.result().transform.translation.x == -5.0


def test_buffer_of_a_node_serves_its_tree(spun, eventually):
    buffer = tf2_ros.Buffer(node=spun)
    buffer.set_transform_static(link("base", "camera"), "test")
    client = spun.create_client(FrameGraph, "tf2_frames")
    assert client.wait_for_service(timeout_sec=20.0)
    future = client.call_async(FrameGraph.Request())
    assert eventually(future.done)
    assert "camera" in future.result().frame_yaml


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
