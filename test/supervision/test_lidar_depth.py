# SPDX-License-Identifier: Apache-2.0
"""Dense supervision on worlds that are known exactly: a wall, a road, and a car that crosses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xd_rcdepth_ros.errors import ConfigurationError, RecordingError
from xd_rcdepth_ros.geometry import PinholeCamera, RadarPoints, RigidTransform
from xd_rcdepth_ros.recordings.reader import Recording
from xd_rcdepth_ros.recordings.schema import camera_frame, lidar_frame, radar_frame
from xd_rcdepth_ros.recordings.writer import DriveWriter
from xd_rcdepth_ros.supervision.interpolation import drop_hidden, interpolate_gaps
from xd_rcdepth_ros.supervision.lidar_depth import (
    DenseSupervision,
    SupervisionSettings,
    find_movers,
    supervise,
)
from xd_rcdepth_ros.supervision.movers import (
    Box,
    FreeSpace,
    PlacedSweep,
    contradicted,
    height_over_ground,
    in_boxes,
    near_moving_returns,
)

CAMERA = PinholeCamera.from_focal(160, 96, 120.0, 120.0, 79.5, 47.5)
WALL_M, EYE_M = 30.0, 1.6  # distance of the wall; height of camera and lidar over the road
CAR_DEPTH_M, CAR_WIDTH_M = 12.0, 2.0


def scan(car_x_m: float | None) -> np.ndarray:
    """Return points (N, 3), camera frame, of a wall, a road and a car's flat back if there is one.

    The rays are those of a lidar with 40 rings at the camera's place.
    """
    azimuth, elevation = np.meshgrid(
        np.radians(np.arange(-32, 32, 0.4)), np.radians(np.linspace(-16, 10, 40))
    )
    x = np.sin(azimuth.ravel()) * np.cos(elevation.ravel())
    y = -np.sin(elevation.ravel())
    z = np.cos(azimuth.ravel()) * np.cos(elevation.ravel())
    distance = WALL_M / z
    with np.errstate(divide="ignore"):
        road = np.where(y > 0, EYE_M / np.where(y > 0, y, 1), np.inf)
    distance = np.minimum(distance, road)
    if car_x_m is not None:
        to_car = CAR_DEPTH_M / z
        hit = (np.abs(to_car * x - car_x_m) < CAR_WIDTH_M / 2) & (to_car * y > 0.1)
        hit &= to_car < distance
        distance = np.where(hit, to_car, distance)
    return np.stack([x, y, z], axis=1) * distance[:, None]


def sweep_with(points: np.ndarray, moving: np.ndarray | None = None, boxes=()) -> PlacedSweep:
    moving = np.zeros((0, 3)) if moving is None else moving
    return PlacedSweep(points, np.zeros(3), np.array([0.0, -1, 0]), moving, boxes)


@pytest.fixture
def crossing():
    """Return seven sweeps past a car that moves 1.5 m to the right from one to the next."""
    return [sweep_with(scan(1.5 * step)) for step in range(-3, 4)]


def is_car(points: np.ndarray) -> np.ndarray:
    return np.isclose(points[:, 2], CAR_DEPTH_M)


def test_what_moved_is_found_and_what_stands_is_kept(crossing):
    removed = contradicted(crossing, main=3)
    assert not removed[3].any()  # the image's own sweep is never touched
    for number in (0, 1, 5, 6):  # more than the car's width away from where it is now
        car = is_car(crossing[number].points_m)
        high = car & (crossing[number].points_m[:, 1] < EYE_M - 0.4)
        assert high.sum() > 20
        assert removed[number][high].mean() > 0.9
        assert removed[number][~car].mean() < 0.01


def test_silence_speaks_where_the_sky_is():
    """A truck's upper part goes by before the sky: no ray behind it ever comes back."""

    def truck_before_the_sky(x_m: float) -> np.ndarray:
        points = scan(None)
        points = points[points[:, 1] > -1.0]  # the wall is low: nothing returns above it
        across, up = np.meshgrid(np.arange(-1, 1, 0.1), np.arange(-2.0, -0.5, 0.15))
        back = np.column_stack([x_m + across.ravel(), up.ravel(), np.full(across.size, 12.0)])
        return np.concatenate([points, back])

    sweeps = [sweep_with(truck_before_the_sky(0.5 * step)) for step in range(-3, 4)]
    high = [np.isclose(s.points_m[:, 2], 12) & (s.points_m[:, 1] < -1.4) for s in sweeps]
    deaf = contradicted(sweeps, 3, FreeSpace(silence_deg=None))
    heard = contradicted(sweeps, 3, FreeSpace())
    assert not deaf[0][high[0]].any()
    left_behind = high[0] & (sweeps[0].points_m[:, 0] < -1.6)  # 0.6 m beside where it is now
    assert left_behind.sum() > 10
    assert heard[0][left_behind].all()
    # Where the truck is now, and on the wall, nothing is taken.
    still_there = np.isclose(sweeps[2].points_m[:, 2], 12) & (sweeps[2].points_m[:, 0] > -0.9)
    assert not heard[2][still_there].any()
    assert not any(
        h[~np.isclose(s.points_m[:, 2], 12)].any() for h, s in zip(heard, sweeps, strict=True)
    )
    # Far away silence says nothing.
    far = contradicted(sweeps, 3, FreeSpace(silence_range_m=10.0))
    assert not far[0][high[0]].any()


def test_nothing_is_removed_from_a_still_world():
    sweeps = [sweep_with(scan(0.5)) for _ in range(5)]
    assert not any(mask.any() for mask in contradicted(sweeps, main=2))
    assert contradicted([], main=0) == []
    empty = sweep_with(np.zeros((0, 3)))
    assert [len(m) for m in contradicted([empty, sweep_with(scan(None)), empty], 1)] == [
        0,
        len(scan(None)),
        0,
    ]


def test_height_over_ground():
    points = np.array([[0, 1.6, 10], [0.5, 0.6, 10.5], [0.5, 1.5, 9], [50, -4, 90.0]])
    height = height_over_ground(points, np.array([0.0, -1, 0]))
    np.testing.assert_allclose(height, [0, 1.0, 0.1, 0])


def test_supervision_of_the_crossing_car(crossing):
    exact = supervise([crossing[3]], 0, CAMERA).dense_m
    plain = SupervisionSettings(consistency=None, hidden_window_px=0, interpolate=False)
    raw = supervise(crossing, 3, CAMERA, plain)
    clean = supervise(crossing, 3, CAMERA, SupervisionSettings())

    def too_near(depth: np.ndarray) -> int:
        return int((depth < exact - 2).sum())

    assert too_near(raw.accumulated_m) > 100
    assert too_near(clean.accumulated_m) < 0.15 * too_near(raw.accumulated_m)
    assert clean.removed["consistency"] > 100
    assert clean.points == sum(len(s.points_m) for s in crossing) - len(crossing[3].points_m)
    single = np.isfinite(raw.single_m)
    np.testing.assert_array_equal(clean.single_m[single], raw.single_m[single])
    assert np.isfinite(clean.dense_m).sum() > np.isfinite(clean.accumulated_m).sum()


def test_doppler_and_boxes_are_switches(crossing):
    placed = []
    for step, sweep in zip(range(-3, 4), crossing, strict=True):
        centre = np.array([1.5 * step, 0.75, CAR_DEPTH_M])
        box = Box(centre, np.array([2.1, 1.6, 0.5]), np.eye(3))
        placed.append(sweep_with(sweep.points_m, centre[None], (box,)))
    off = SupervisionSettings(consistency=None, doppler_radius_m=None, boxes=False)
    gone, counts = find_movers(placed, 3, off)
    assert counts == {} and not any(mask.any() for mask in gone)
    for changed in ({"doppler_radius_m": 1.2}, {"boxes": True}):
        gone, counts = find_movers(placed, 3, replace(off, **changed))
        assert len(counts) == 1 and not gone[3].any()
        car = is_car(placed[0].points_m)
        high = car & (placed[0].points_m[:, 1] < EYE_M - 0.4)
        assert gone[0][high].all()
        assert not gone[0][~car].any()


def test_boxes_by_hand():
    turned = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])  # a quarter turn: long axis along y
    box = Box(np.array([1.0, 2, 3]), np.array([4.0, 1, 1]), turned)
    points = np.array([[1, 3.9, 3], [1, 4.1, 3], [1.4, 2, 3], [1.6, 2, 3], [1, 2, 3.6]])
    assert box.contains(points).tolist() == [True, False, True, False, False]
    assert in_boxes(sweep_with(points, boxes=(box,))).tolist() == box.contains(points).tolist()
    move = RigidTransform(turned, np.array([5.0, 0, 0]))
    assert box.moved(move).contains(move.apply(points)).tolist() == box.contains(points).tolist()


def test_doppler_measures_from_above():
    points = np.array([[0, 1.6, 10], [0.5, 0.2, 10], [2.5, 0.2, 10.0]])
    sweep = sweep_with(points, np.array([[0, -5.0, 10]]))
    # The first is ground; the second lies 0.5 m away seen from above, the third 2.5 m.
    assert near_moving_returns(sweep, 2.0).tolist() == [False, True, False]
    assert not near_moving_returns(sweep_with(points), 2.0).any()


def test_hidden_values_are_dropped():
    depth = np.full((9, 9), np.nan, np.float32)
    depth[4, 4], depth[4, 5], depth[4, 8], depth[5, 4] = 10.0, 30.0, 30.0, 11.0
    shown = drop_hidden(depth, 3)
    assert np.isnan(shown[4, 5])  # behind its neighbour
    assert shown[4, 8] == 30 and shown[4, 4] == 10 and shown[5, 4] == 11


def plane_depth() -> np.ndarray:
    """Return the exact depth of a slanted plane."""
    rows, columns = np.mgrid[:40, :60]
    return (1 / (0.02 + 0.001 * rows + 0.0003 * columns)).astype(np.float32)


def test_a_plane_is_interpolated_exactly_in_inverse_depth():
    exact = plane_depth()
    sparse = np.full_like(exact, np.nan)
    sparse[::7, ::6] = exact[::7, ::6]
    filled = interpolate_gaps(sparse, max_gap_px=12.0)
    inside = np.s_[:36, :55]
    np.testing.assert_allclose(filled[inside], exact[inside], rtol=1e-4)
    straight = interpolate_gaps(sparse, max_gap_px=12.0, inverse=False)
    assert np.abs(straight[inside] - exact[inside]).max() > 0.05


def test_gaps_and_jumps_stay_empty():
    sparse = np.full((30, 60), np.nan, np.float32)
    sparse[::5, :20:5] = 10.0
    sparse[::5, 40::5] = 10.0
    assert np.isnan(interpolate_gaps(sparse, 8.0)[:, 17:39]).all()
    assert np.isfinite(interpolate_gaps(sparse, None)[:25, 17:39]).all()
    step = np.full((30, 30), np.nan, np.float32)
    step[::5, :15:5], step[::5, 15::5] = 10.0, 20.0
    joined = interpolate_gaps(step, 8.0, None)
    kept = interpolate_gaps(step, 8.0, 0.3)
    assert np.isfinite(joined[:25, 11:15]).all()
    assert np.isnan(kept[:25, 11:15]).all() and np.isfinite(kept[:25, :11]).all()


SPARSE = arrays(
    np.float32, (8, 9), elements=st.one_of(st.just(np.float32(np.nan)), st.floats(1, 90, width=32))
)


@settings(deadline=None, max_examples=60)
@given(SPARSE, st.sampled_from([None, 3.0, 6.0]), st.booleans())
def test_interpolation_stays_within_the_known_values(depth, gap, inverse):
    filled = interpolate_gaps(depth, gap, inverse=inverse)
    known = ~np.isnan(depth)
    np.testing.assert_array_equal(filled[known], depth[known])
    if known.any():
        values = filled[~np.isnan(filled)]
        assert values.min() >= depth[known].min() * (1 - 1e-4)
        assert values.max() <= depth[known].max() * (1 + 1e-4)
    else:
        assert np.isnan(filled).all()


def test_settings_refuse_nonsense():
    with pytest.raises(ConfigurationError, match="must not be negative"):
        SupervisionSettings(sweeps_each_way=-1)


def write_drive(path: Path, odometry: bool = True, lidar: bool = True) -> Path:
    """Write a drive of nine frames at 10 m/s towards the wall, past the crossing car."""
    import cv2

    camera_from_base = RigidTransform(np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]), np.zeros(3))
    base_from_camera = camera_from_base.inverse()
    with DriveWriter(path) as writer:
        writer.static_transform("base_link", camera_frame("front"), base_from_camera)
        for frame in (radar_frame("front"), lidar_frame("top")):
            writer.static_transform("base_link", frame, RigidTransform.identity())
        for number in range(9):
            stamp_ns = 1_000_000_000 + number * 100_000_000
            forward = 1.0 * (number - 4)
            pose = RigidTransform(np.eye(3), np.array([forward, 0.0, 0.0]))
            if odometry:
                writer.transform("odom", "base_link", stamp_ns, pose)
            _, png = cv2.imencode(".png", np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8))
            writer.image("front", stamp_ns, png.tobytes(), "png")
            camera = replace(CAMERA, frame_id=camera_frame("front"))
            writer.camera_info("front", stamp_ns, camera)
            # The world is the same in odom; the lidar sees it from where the car is.
            points = scan(1.5 * (number - 4))
            seen = base_from_camera.apply(points) - pose.translation_m
            if lidar:
                writer.lidar("top", stamp_ns, seen.astype(np.float32))
            writer.radar("front", stamp_ns, RadarPoints.empty())
    return path


def test_sweeps_of_a_recording_are_moved_by_its_poses(tmp_path):
    with Recording(write_drive(tmp_path / "drive")) as recording:
        maker = DenseSupervision(recording, SupervisionSettings(sweeps_each_way=2))
        sweeps, main = maker.sweeps(4)
        assert (len(sweeps), main) == (5, 2)
        # All see the wall where it is for the middle frame; their origins are 1 m apart.
        for sweep in sweeps:
            assert np.isclose(sweep.points_m[:, 2].max(), WALL_M, atol=1e-3)
        depths = [sweep.origin_m[2] for sweep in sweeps]
        np.testing.assert_allclose(depths, [-2, -1, 0, 1, 2], atol=1e-6)
        np.testing.assert_allclose(sweeps[0].up, [0, -1, 0], atol=1e-9)
        assert np.isfinite(maker.at(4).dense_m).mean() > 0.5
        first, _ = maker.sweeps(0)
        assert len(first) == 3  # nothing before the first


def test_without_poses_only_the_own_sweep_is_used(tmp_path):
    with Recording(write_drive(tmp_path / "drive", odometry=False)) as recording:
        sweeps, main = DenseSupervision(recording).sweeps(4)
        assert (len(sweeps), main) == (1, 0)


def test_without_lidar_is_refused(tmp_path):
    with (
        Recording(write_drive(tmp_path / "drive", lidar=False)) as recording,
        pytest.raises(RecordingError, match="no lidar sweep"),
    ):
        DenseSupervision(recording).at(4)
