# SPDX-License-Identifier: Apache-2.0
"""Contract of tf2's buffer: the tree, its times, and why it refuses to answer."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

tf2_ros = pytest.importorskip("tf2_ros", reason="tf2_ros is not installed")

from geometry_msgs.msg import TransformStamped  # noqa: E402
from rclpy.duration import Duration  # noqa: E402
from rclpy.time import Time  # noqa: E402

SECOND = 10**9
IDENTITY = (0.0, 0.0, 0.0, 1.0)
QUARTER_LEFT = (0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5))


def at(seconds: float) -> Time:
    return Time(nanoseconds=round(seconds * SECOND))


def link(parent, child, seconds=0.0, translation=(0.0, 0.0, 0.0), rotation=IDENTITY):
    message = TransformStamped()
    message.header.frame_id = parent
    message.child_frame_id = child
    message.header.stamp = at(seconds).to_msg()
    t, r = message.transform.translation, message.transform.rotation
    t.x, t.y, t.z = (float(value) for value in translation)
    r.x, r.y, r.z, r.w = (float(value) for value in rotation)
    return message


def values(message: TransformStamped) -> tuple[tuple, tuple]:
    t, r = message.transform.translation, message.transform.rotation
    return (t.x, t.y, t.z), (r.x, r.y, r.z, r.w)


def matrix(message: TransformStamped) -> np.ndarray:
    translation, (x, y, z, w) = values(message)
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    result = np.identity(4)
    result[:3, :3] += 2 * w * skew + 2 * skew @ skew
    result[:3, 3] = translation
    return result


@pytest.fixture
def buffer():
    return tf2_ros.Buffer()


def test_transform_takes_data_from_source_to_target(buffer):
    # base stands at (1, 2, 3) in map and looks left (along +y of map).
    buffer.set_transform(link("map", "base", 1.0, (1, 2, 3), QUARTER_LEFT), "test")
    out = buffer.lookup_transform("map", "base", at(1.0))
    assert np.allclose(np.hstack(values(out)), (1, 2, 3, *QUARTER_LEFT))
    assert out.header.frame_id == "map"
    assert out.child_frame_id == "base"
    assert (out.header.stamp.sec, out.header.stamp.nanosec) == (1, 0)
    # A point 1 m ahead of base is at (1, 3, 3) in map; and the other way round.
    assert np.allclose(matrix(out) @ (1, 0, 0, 1), (1, 3, 3, 1))
    back = buffer.lookup_transform("base", "map", at(1.0))
    assert np.allclose(matrix(back) @ (1, 3, 3, 1), (1, 0, 0, 1))


def test_interpolates_translation_and_rotation(buffer):
    buffer.set_transform(link("odom", "base", 1.0, (0, 0, 0)), "test")
    buffer.set_transform(link("odom", "base", 2.0, (4, 0, 0), QUARTER_LEFT), "test")
    translation, rotation = values(buffer.lookup_transform("odom", "base", at(1.25)))
    assert np.allclose(translation, (1, 0, 0))
    eighth = math.radians(90 * 0.25)
    assert np.allclose(rotation, (0, 0, math.sin(eighth / 2), math.cos(eighth / 2)))


def test_samples_may_arrive_out_of_order(buffer):
    for seconds in (1.0, 3.0, 2.0):
        buffer.set_transform(link("odom", "base", seconds, (seconds**2, 0, 0)), "test")
    assert values(buffer.lookup_transform("odom", "base", at(2.5)))[0][0] == pytest.approx(6.5)
    assert values(buffer.lookup_transform("odom", "base", at(1.5)))[0][0] == pytest.approx(2.5)


def test_refuses_to_extrapolate_and_names_the_frames(buffer):
    buffer.set_transform(link("odom", "base", 1.0), "test")
    with pytest.raises(tf2_ros.ExtrapolationException, match=r"base.*odom"):
        buffer.lookup_transform("odom", "base", at(1.5))  # one sample holds for its stamp only
    buffer.set_transform(link("odom", "base", 2.0), "test")
    with pytest.raises(tf2_ros.ExtrapolationException, match=r"future.*base.*odom"):
        buffer.lookup_transform("odom", "base", at(2.5))
    with pytest.raises(tf2_ros.ExtrapolationException, match=r"past.*base.*odom"):
        buffer.lookup_transform("odom", "base", at(0.5))


def test_time_zero_is_the_newest_common_time(buffer):
    buffer.set_transform(link("map", "odom", 1.0), "test")
    buffer.set_transform(link("map", "odom", 5.0, (8, 0, 0)), "test")
    buffer.set_transform(link("odom", "base", 2.0), "test")
    buffer.set_transform(link("odom", "base", 3.0, (1, 0, 0)), "test")
    out = buffer.lookup_transform("map", "base", Time())
    assert out.header.stamp.sec == 3
    assert values(out)[0] == pytest.approx((5, 0, 0))
    # Links above the common ancestor do not count.
    assert buffer.lookup_transform("odom", "base", Time()).header.stamp.sec == 3


def test_static_transform_holds_at_all_times(buffer):
    buffer.set_transform_static(link("base", "camera", 7.0, (1, 0, 0)), "test")
    for seconds in (0.0, 3.0, 7.0, 1e6):
        assert values(buffer.lookup_transform("base", "camera", at(seconds)))[0][0] == 1.0
    buffer.set_transform(link("odom", "base", 2.0), "test")
    assert buffer.lookup_transform("odom", "camera", Time()).header.stamp.sec == 2


def test_siblings_connect_through_their_common_ancestor(buffer):
    buffer.set_transform_static(link("base", "camera", 0, (1, 0, 0)), "test")
    buffer.set_transform_static(link("base", "radar", 0, (3, 0, 1), QUARTER_LEFT), "test")
    # No link above base is needed, at any time.
    out = buffer.lookup_transform("camera", "radar", at(99.0))
    assert np.allclose(np.hstack(values(out)), (2, 0, 1, *QUARTER_LEFT))


def test_unknown_and_malformed_frames(buffer):
    buffer.set_transform_static(link("base", "camera"), "test")
    with pytest.raises(tf2_ros.LookupException, match="lidar"):
        buffer.lookup_transform("base", "lidar", Time())
    with pytest.raises(tf2_ros.LookupException, match="lidar"):
        buffer.lookup_transform("lidar", "base", Time())
    with pytest.raises(tf2_ros.InvalidArgumentException, match="empty"):
        buffer.lookup_transform("base", "", Time())
    with pytest.raises(tf2_ros.InvalidArgumentException, match="/camera"):
        buffer.lookup_transform("base", "/camera", Time())
    for error in ("Lookup", "Connectivity", "Extrapolation", "InvalidArgument", "Timeout"):
        assert issubclass(getattr(tf2_ros, f"{error}Exception"), tf2_ros.TransformException)


def test_leading_slashes_are_taken_off_what_comes_in(buffer):
    buffer.set_transform_static(link("/base", "/camera", 0, (1, 0, 0)), "test")
    assert values(buffer.lookup_transform("base", "camera", Time()))[0][0] == 1.0


def test_two_trees_do_not_connect(buffer):
    buffer.set_transform_static(link("base", "camera"), "test")
    buffer.set_transform_static(link("truck", "radar"), "test")
    with pytest.raises(tf2_ros.ConnectivityException, match=r"(camera.*radar)|(radar.*camera)"):
        buffer.lookup_transform("camera", "radar", Time())
    with pytest.raises(tf2_ros.ConnectivityException):
        buffer.lookup_transform("camera", "radar", at(1.0))


def test_frame_to_itself_is_the_identity(buffer):
    buffer.set_transform(link("odom", "base", 4.0, (1, 2, 3)), "test")
    out = buffer.lookup_transform("base", "base", at(123.0))
    assert values(out) == ((0, 0, 0), IDENTITY)
    assert out.header.stamp.sec == 123
    assert buffer.lookup_transform("base", "base", Time()).header.stamp.sec == 4


@pytest.mark.parametrize(
    "bad",
    [
        link("base", "base", 1.0),
        link("", "bad", 1.0),
        link("base", "", 1.0),
        link("base", "bad", 1.0, (math.nan, 0, 0)),
        link("base", "bad", 1.0, rotation=(0, 0, 0, 0)),
    ],
    ids=["self", "no parent", "no child", "nan", "zero quaternion"],
)
def test_malformed_transforms_are_ignored(buffer, bad):
    buffer.set_transform(link("odom", "base", 1.0), "test")
    buffer.set_transform(bad, "test")
    assert not buffer.can_transform("base", "bad", Time())
    assert buffer.can_transform("odom", "base", Time())


def test_forgets_what_is_older_than_the_cache_time():
    buffer = tf2_ros.Buffer(cache_time=Duration(seconds=2))
    for tenths in range(51):
        buffer.set_transform(link("odom", "base", 1.0 + tenths / 10, (tenths, 0, 0)), "test")
    assert buffer.can_transform("odom", "base", at(4.05))
    assert not buffer.can_transform("odom", "base", at(3.85))
    buffer.set_transform(link("odom", "base", 3.0, (0, 0, 0)), "test")  # too old to be taken
    assert not buffer.can_transform("odom", "base", at(3.0))


def test_default_cache_time_is_ten_seconds(buffer):
    for seconds in range(1, 21):
        buffer.set_transform(link("odom", "base", float(seconds)), "test")
    assert buffer.can_transform("odom", "base", at(10.5))
    assert not buffer.can_transform("odom", "base", at(8.5))  # upstream drops one insert later


def test_quaternions_are_brought_to_unit_length(buffer):
    buffer.set_transform_static(link("base", "camera", rotation=(0, 0, 2, 2)), "test")
    assert np.allclose(values(buffer.lookup_transform("base", "camera", Time()))[1], QUARTER_LEFT)


def test_clear_forgets_moving_frames_and_keeps_static_ones(buffer):
    buffer.set_transform(link("odom", "base", 5.0), "test")
    buffer.set_transform_static(link("base", "camera", 0, (1, 0, 0)), "test")
    buffer.clear()
    assert not buffer.can_transform("odom", "base", Time())
    assert buffer.can_transform("base", "camera", Time())
    buffer.set_transform(link("odom", "base", 1.0), "test")  # an earlier time is welcome again
    assert buffer.lookup_transform("odom", "camera", Time()).header.stamp.sec == 1


def test_new_parent_takes_over_from_its_stamp(buffer):
    buffer.set_transform(link("left", "cup", 1.0, (1, 0, 0)), "test")
    buffer.set_transform(link("right", "cup", 2.0, (2, 0, 0)), "test")
    assert values(buffer.lookup_transform("left", "cup", at(1.5)))[0][0] == 1.0
    assert values(buffer.lookup_transform("right", "cup", at(2.0)))[0][0] == 2.0
    assert not buffer.can_transform("left", "cup", at(2.0))


def test_loop_is_reported(buffer):
    buffer.set_transform_static(link("a", "b"), "test")
    buffer.set_transform_static(link("b", "a"), "test")
    buffer.set_transform_static(link("other", "c"), "test")
    with pytest.raises(tf2_ros.TransformException, match="loop"):
        buffer.lookup_transform("c", "b", at(1.0))


def test_full_lookup_goes_through_the_fixed_frame(buffer):
    # base drives 10 m/s along x of odom; a camera sits 2 m ahead of it.
    for seconds in (1.0, 2.0):
        buffer.set_transform(link("odom", "base", seconds, (10 * seconds, 0, 0)), "test")
    buffer.set_transform_static(link("base", "camera", 0, (2, 0, 0)), "test")
    out = buffer.lookup_transform_full("camera", at(1.5), "base", at(1.1), "odom")
    # At 1.1 s base was at 11; at 1.5 s the camera is at 17.
    assert values(out)[0] == pytest.approx((-6, 0, 0))
    assert (out.header.frame_id, out.child_frame_id) == ("camera", "base")
    assert out.header.stamp.nanosec == SECOND // 2
    with pytest.raises(tf2_ros.ExtrapolationException):
        buffer.lookup_transform_full("camera", at(1.5), "base", at(0.1), "odom")
    with pytest.raises(tf2_ros.LookupException, match="mars"):
        buffer.lookup_transform_full("camera", at(1.5), "base", at(1.1), "mars")


def test_accepts_times_of_messages_and_refuses_other_things(buffer):
    buffer.set_transform(link("odom", "base", 1.0), "test")
    assert buffer.can_transform("odom", "base", at(1.0).to_msg())
    with pytest.raises(TypeError):
        buffer.lookup_transform("odom", "base", 1.0)


# Properties -----------------------------------------------------------------------------------

coordinates = st.floats(-100, 100)
vectors = st.tuples(coordinates, coordinates, coordinates)
rotations = (
    st.tuples(*[st.floats(-1, 1)] * 4)
    .filter(lambda q: sum(v * v for v in q) > 0.01)
    .map(lambda q: tuple(np.array(q) / np.linalg.norm(q)))
)


@st.composite
def trees(draw):
    """Links of a tree in which frame i hangs below a frame of smaller number, at time 1 s."""
    count = draw(st.integers(2, 8))
    return [
        link(f"f{draw(st.integers(0, i - 1))}", f"f{i}", 1.0, draw(vectors), draw(rotations))
        for i in range(1, count)
    ]


@settings(deadline=None, max_examples=60)
@given(trees(), st.data())
def test_any_two_frames_relate_as_their_matrices(links, data):
    buffer = tf2_ros.Buffer()
    in_root = {"f0": np.identity(4)}
    for message in links:
        if data.draw(st.booleans()):
            buffer.set_transform_static(message, "test")
        else:
            buffer.set_transform(message, "test")
        in_root[message.child_frame_id] = in_root[message.header.frame_id] @ matrix(message)
    frames = st.sampled_from(sorted(in_root))
    target, source = data.draw(frames), data.draw(frames)
    wanted = np.linalg.inv(in_root[target]) @ in_root[source]
    assert np.allclose(matrix(buffer.lookup_transform(target, source, at(1.0))), wanted, atol=1e-6)
    assert np.allclose(matrix(buffer.lookup_transform(target, source, Time())), wanted, atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(rotations, rotations, st.integers(0, 1000), vectors, vectors)
def test_rotation_turns_at_constant_speed_on_the_shorter_arc(a, b, permille, start, end):
    buffer = tf2_ros.Buffer()
    buffer.set_transform(link("odom", "base", 1.0, start, a), "test")
    buffer.set_transform(link("odom", "base", 2.0, end, b), "test")
    fraction = permille / 1000
    translation, rotation = values(buffer.lookup_transform("odom", "base", at(1 + fraction)))

    def angle(p, q):
        """Angle between two rotations from the chord of their quaternions, rad."""
        p, q = np.array(p), np.array(q)
        chord = min(np.linalg.norm(p - q), np.linalg.norm(p + q))
        return 4 * math.asin(min(1.0, chord / 2))

    assert np.linalg.norm(rotation) == pytest.approx(1.0)
    assert angle(a, rotation) == pytest.approx(fraction * angle(a, b), abs=1e-5)
    assert angle(rotation, b) == pytest.approx((1 - fraction) * angle(a, b), abs=1e-5)
    assert np.allclose(translation, np.array(start) + fraction * (np.array(end) - start))
