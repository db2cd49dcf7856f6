# SPDX-License-Identifier: Apache-2.0
"""What a step sees depends on the step alone."""

from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from xd_rcdepth_ros.geometry import (
    SKY,
    UNKNOWN,
    LidarSweep,
    PinholeCamera,
    RigidTransform,
    SensorFrame,
)
from xd_rcdepth_ros.training.augmentation import AugmentationConfig
from xd_rcdepth_ros.training.batches import (
    Batch,
    Draw,
    Samples,
    StepSampler,
    ValidationSamples,
    collate,
    join,
    to_tensors,
)
from xd_rcdepth_ros.training.frames import TrainingFrames, row_medians


def sampler(**changes):
    values = {"lengths": [10, 5], "shares": [3, 1], "batch_size": 4, "steps": 12, "seed": 1}
    return StepSampler(**{**values, **changes})


@given(start=st.integers(0, 12), seed=st.integers(0, 1000))
def test_a_resumed_run_goes_on_as_it_would_have(start, seed):
    whole = list(sampler(seed=seed))
    assert list(sampler(seed=seed, start=start)) == whole[start:]
    assert len(sampler(start=start)) == 12


@given(world=st.sampled_from([1, 2, 4]))
def test_processes_together_see_what_one_would(world):
    parts = [list(sampler(rank=rank, world=world)) for rank in range(world)]
    for step, whole in enumerate(sampler()):
        assert sorted(chain(*(part[step] for part in parts))) == sorted(whole)


def test_each_pass_sees_each_frame_once():
    draws = list(chain(*sampler(lengths=[6], shares=[1], batch_size=3, steps=4)))
    assert sorted(d.frame for d in draws[:6]) == list(range(6))
    assert sorted(d.frame for d in draws[6:]) == list(range(6))
    assert [d.frame for d in draws[:6]] != [d.frame for d in draws[6:]]


def test_sources_are_drawn_by_their_share():
    draws = list(chain(*sampler(steps=500)))
    assert 0.7 < np.mean([d.source == 0 for d in draws]) < 0.8


def test_new_variants_differ_each_time_and_fixed_ones_come_back():
    fresh = list(chain(*sampler(lengths=[4], shares=[1], steps=8)))
    assert len({d.seed for d in fresh}) == len(fresh)
    assert {d.variant for d in fresh} == {-1}
    for seed in (1, 2):  # shared by runs of any seed
        fixed = list(chain(*sampler(lengths=[4], shares=[1], steps=8, variants=2, seed=seed)))
        assert {d.variant for d in fixed} == {0, 1}
        assert len({(d.frame, d.variant, d.seed) for d in fixed}) == 4 * 2


PLAIN = AugmentationConfig(flip=0.0, gain=0.0, gamma=0.0)


def frames_of(bag, tmp_path, **changes):
    from xd_rcdepth_ros.training.source import SourceConfig

    source = SourceConfig(str(bag), **changes)
    return TrainingFrames(source, "front", 80.0, Path(tmp_path) / "cache")


def test_samples_are_what_the_node_would_see(bag, tmp_path):
    with frames_of(bag, tmp_path) as frames:
        frames.prepare()
        plain = AugmentationConfig(flip=0, gain=0, gamma=0)
        samples = Samples([frames], (64, 128), plain)
        batch = collate([samples[Draw(0, 2, 5)], samples[Draw(0, 3, 6, 1)]])
        assert batch.image.shape == (2, 3, 64, 128)
        assert batch.radar.shape == (2, 4, 64, 128)
        assert batch.keys.tolist() == [[0, 2, -1], [0, 3, 1]]
        assert (batch.radar[:, 0] > 0).sum() > 20
        validation = ValidationSamples([frames], 80.0)
        assert len(validation) == 6
        alone = validation[2]
        # At the same focal length and without variation, both lay the image the same way, up to
        # the columns that the wider grid adds.
        height, width = alone.image.shape[1:]
        left = (128 - width) // 2
        part = batch.image[0, :, 64 - min(64, height) :, left : left + width]
        torch.testing.assert_close(part, alone.image[:, height - min(64, height) :])


def test_a_joined_sample_is_one_frame_left_of_a_column_and_another_right_of_it(bag, tmp_path):
    with frames_of(bag, tmp_path) as frames:
        frames.prepare()
        still = AugmentationConfig(flip=0, gain=0, gamma=0, join=1)
        alone = Samples([frames], (64, 128), replace(still, join=0))
        whole = [alone[Draw(0, number, 0)] for number in range(len(frames))]
        columns = set()
        for seed in range(8):
            joined = Samples([frames], (64, 128), still)[Draw(0, 2, seed)]
            candidates = [
                (column, number)
                for number, right in enumerate(whole)
                for column in range(1, 128)
                if torch.equal(joined.image, join(whole[2], right, column).image)
            ]
            column, number = candidates[0]
            expected = join(whole[2], whole[number], column)
            for part, same in zip(joined, expected, strict=True):
                torch.testing.assert_close(part, same, equal_nan=True)
            columns.add(column)
        assert len(columns) > 4
        assert expected.keys.tolist() == [0, 2, -1]


def test_joined_columns_bring_all_that_was_measured_there():
    left, right = (Batch(*(torch.full((1, 2, 6), v) for _ in range(5)), v, v) for v in (1, 2))
    joined = join(left, right, 4)
    for part in joined[:5]:
        assert part[0].tolist() == [[1, 1, 1, 1, 2, 2]] * 2
    assert joined.keys == 1


def test_radar_can_be_left_out(bag, tmp_path):
    with frames_of(bag, tmp_path) as frames:
        frames.prepare()
        assert not ValidationSamples([frames], 80.0, zero_radar=True)[0].radar.any()
        assert ValidationSamples([frames], 80.0)[0].radar.any()


def test_exact_depth_is_used_where_the_bag_has_it(bag, tmp_path):
    with frames_of(bag, tmp_path) as frames:
        frames.prepare()
        assert np.isfinite(frames[0].depth_m).mean() > 0.5
    assert not (Path(tmp_path) / "cache").exists()
    with frames_of(bag, tmp_path, dense="none") as frames:
        assert frames[0].depth_m is None


def test_lidar_can_be_left_out(bag, tmp_path):
    with frames_of(bag, tmp_path, dense="none") as frames:
        assert np.isfinite(ValidationSamples([frames], 80.0)[0].single_m).any()
    with frames_of(bag, tmp_path, dense="none", lidar=False) as frames:
        assert frames.prepare() == {}
        sample = ValidationSamples([frames], 80.0)[0]
        assert not np.isfinite(sample.single_m).any() and not np.isfinite(sample.dense_m).any()
        assert sample.radar.any() and row_medians([frames]) == ()


def test_depth_from_lidar_is_kept_on_disk(bag, tmp_path):
    with frames_of(bag, tmp_path, dense="lidar") as frames:
        assert frames.prepare() == {}
        files = sorted((Path(tmp_path) / "cache").rglob("*.npy"))
        assert len(files) == 6
        before = frames[1].depth_m
        assert 0.02 < np.isfinite(before).mean() < 1
    with frames_of(bag, tmp_path, dense="lidar") as again:
        np.testing.assert_array_equal(again[1].depth_m, before)
        # It is the file that is read.
        np.save(files[1], np.full(before.shape, 7, np.float16))
    with frames_of(bag, tmp_path, dense="lidar") as changed:
        assert (changed[1].depth_m == 7).all()


def test_rows_have_the_median_of_their_depth(bag, tmp_path):
    with frames_of(bag, tmp_path) as frames:
        medians = row_medians([frames])
        height = ValidationSamples([frames], 80.0)[0].image.shape[1]
    assert len(medians) == height
    assert medians[-1] < medians[height // 2]  # the road's bottom is near


def test_radar_is_made_from_lidar_where_the_source_says_so(bag, tmp_path):
    with frames_of(bag, tmp_path) as frames:
        recorded = Samples([frames], (64, 128), PLAIN)[Draw(0, 0, 1)].radar
    with frames_of(bag, tmp_path, radar="sparse") as frames:
        samples = Samples([frames], (64, 128), PLAIN)
        made = [samples[Draw(0, 0, seed)].radar for seed in (1, 1, 2)]
        assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2])
        assert not torch.equal(made[0], recorded)
        assert all(0 < (radar[0] > 0).sum() <= 60 for radar in made)
        validation = ValidationSamples([frames], 80.0)
        assert torch.equal(validation[0].radar, validation[0].radar)


def test_what_no_network_can_say_is_no_goal_but_sky():
    """Lidar at 150 m, exact depth of 20 and 120 m, a labelled sky: goals of 20 m alone."""
    camera = PinholeCamera(32, 32, np.array([[50.0, 0, 16], [0, 50, 16], [0, 0, 1]]))
    depth = np.full((32, 32), np.nan, np.float32)
    depth[20:], depth[10:20] = 20.0, 120.0
    sky = np.full((32, 32), UNKNOWN, np.uint8)
    sky[:5] = SKY
    ahead = np.array([[0.0, -7.5, 150.0]], np.float32)
    lidar = LidarSweep(ahead, RigidTransform.identity())
    image = np.zeros((32, 32, 3), np.uint8)
    frame = SensorFrame(image, camera, lidar=lidar, depth_m=depth, sky=sky)
    sample = to_tensors(frame, (0, 0, -1))
    goal = sample.dense_m[0]
    assert goal[20:].eq(20).all() and goal[:20].isnan().all() and sample.single_m.isnan().all()
    told = sample.sky[0]
    assert told[:5].eq(1).all() and told[10:20].eq(1).all() and told[20:].eq(0).all()
    assert told[5:10].isnan().all()
    seen = SensorFrame(image, camera, lidar=replace(lidar, points_m=lidar.points_m * 0.1))
    assert to_tensors(seen, (0, 0, -1)).single_m.nanmean() == 15


def test_a_frame_without_lidar_keeps_its_recorded_radar_and_that_is_said_once(
    bag, tmp_path, caplog, monkeypatch
):
    with frames_of(bag, tmp_path, radar="mixed") as frames:
        read = TrainingFrames.__getitem__
        monkeypatch.setattr(
            TrainingFrames, "__getitem__", lambda self, i: replace(read(self, i), lidar=None)
        )
        for _ in range(2):
            frame = frames.with_radar(0, np.random.default_rng(0))
            assert frame.radar is frames[0].radar
        assert len([r for r in caplog.records if "no lidar to make radar from" in r.message]) == 1
