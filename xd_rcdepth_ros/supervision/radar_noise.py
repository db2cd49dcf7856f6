# SPDX-License-Identifier: Apache-2.0
"""The kinds of radar that are made from lidar, and how each measures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RadarNoise:
    """A kind of radar: how many returns it gives, and how they differ from the lidar's points.

    Attributes:
        returns: Fewest, median and most returns of a sweep inside the image.
        repeats: Mean number of returns of one reflection, which differ in little but elevation.
        range_m: Median range of the returns, and the greatest one.
        range_spread: Deviation of the ranges' logarithm.
        near_azimuth_deg: Least and greatest half field of view of a unit.
        far_azimuth_deg: Half field of view beyond ``far_from_m``.
        far_from_m: Where the narrower field of view begins, metres.
        elevation_deg: Half field of view up and down.
        cell: Size of a cell: metres of range, degrees of azimuth, degrees of elevation.
        object_spread: Deviation of the logarithm of the objects' strength.
        height_m: Height over which the chance of a return falls by e: most of what reflects well
            stands low, and leaves hang high.
        missed: Share of the objects that give no return.
        ground: Share of the ground's points that may give returns.
        unseen: Share of returns from places where the lidar has no point.
        group: Mean number of returns of an object that the lidar does not see.
        ghosts: Share of returns that repeat another one farther away (multipath).
        clutter: Share of returns from nothing, anywhere.
        error_m: Deviation of range, metres.
        azimuth_error_deg: Deviation of azimuth.
        elevation_error_deg: Deviation of elevation.
        elevation_bias_deg: Mean and deviation, from unit to unit, of an error of all elevations.
        flat: Share of units that measure no elevation: z is 0.
        rate_error_mps: Deviation of the range rate.
        fold_mps: Span that range rates are folded into, centred on 0; 0 for none.
        moving: Share of the objects that move.
        rcs_dbsm: Least strength, and shape and scale of the gamma distribution above it, dB.
    """

    returns: tuple[int, int, int]
    repeats: float
    range_m: tuple[float, float]
    range_spread: float
    near_azimuth_deg: tuple[float, float]
    far_azimuth_deg: float
    far_from_m: float
    elevation_deg: float
    cell: tuple[float, float, float]
    object_spread: float
    height_m: float
    missed: float
    ground: float
    unseen: float
    group: float
    ghosts: float
    clutter: float
    error_m: float
    azimuth_error_deg: float
    elevation_error_deg: float
    elevation_bias_deg: tuple[float, float]
    flat: float
    rate_error_mps: float
    fold_mps: float
    moving: float
    rcs_dbsm: tuple[float, float, float]


RADARS = {
    # Automotive radars with few returns: the rear radar of aiMotive.
    "sparse": RadarNoise(
        returns=(15, 37, 60), repeats=1.0, range_m=(68.0, 180.0), range_spread=0.55,
        near_azimuth_deg=(12, 60), far_azimuth_deg=14.0, far_from_m=60.0, elevation_deg=10.0,
        cell=(3.0, 3.0, 20.0), object_spread=0.7, height_m=2.0, missed=0.3, ground=0.0,
        unseen=0.2, group=1.5, ghosts=0.03, clutter=0.05, error_m=0.5, azimuth_error_deg=0.5,
        elevation_error_deg=0.5, elevation_bias_deg=(-1.5, 1.5), flat=0.3, rate_error_mps=0.08,
        fold_mps=0.0, moving=0.2, rcs_dbsm=(-7.0, 3.0, 3.5),
    ),
    # 4D imaging radars: the one of Astyx.
    "imaging": RadarNoise(
        returns=(300, 950, 3000), repeats=2.5, range_m=(36.0, 100.0), range_spread=0.7,
        near_azimuth_deg=(35, 60), far_azimuth_deg=32.0, far_from_m=60.0, elevation_deg=8.0,
        cell=(0.5, 1.0, 1.5), object_spread=1.2, height_m=2.5, missed=0.1, ground=0.03,
        unseen=0.27, group=6.0, ghosts=0.05, clutter=0.1, error_m=0.25, azimuth_error_deg=1.0,
        elevation_error_deg=1.5, elevation_bias_deg=(-0.6, 0.5), flat=0.0, rate_error_mps=0.1,
        fold_mps=10.39, moving=0.2, rcs_dbsm=(45.0, 1.25, 6.2),
    ),
}  # fmt: skip
