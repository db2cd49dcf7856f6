# SPDX-License-Identifier: Apache-2.0
"""The kinds of radar that can be simulated, and what they are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class RadarModel:
    """A kind of radar.

    Attributes:
        azimuth_deg, elevation_deg: Half field of view.
        ray_step_deg: Distance of the rays.
        range_m: Greatest range, metres.
        far_azimuth_deg, far_from_m: Narrower half field of view beyond that range.
        cell_range_m, cell_azimuth_deg, cell_elevation_deg, cell_rate_mps: Resolution.
        noise_range_m, noise_azimuth_deg, noise_elevation_deg, noise_rate_mps: Deviations.
        reference_db: Signal-to-noise ratio of 0 dBsm at 100 m, above what is needed to be found.
        least_dbsm: Cross-section below which a return counts as background and is left out.
        softness_db: How slowly the chance of being found grows.
        most: Greatest number of returns; the strongest are kept.
        clutter: Mean number of returns that are nothing.
        ghosts: Chance that a strong return has a mirror image.
        flat: True if elevation is not measured: z is 0.
        spread_db: Deviation of the sensitivity from one drive (unit, mounting, dirt) to another.
        fold_mps: Span that range rates are folded into, centred on 0; 0 for none.
    """

    azimuth_deg: float
    elevation_deg: float
    ray_step_deg: tuple[float, float]
    range_m: float
    far_azimuth_deg: float
    far_from_m: float
    cell_range_m: float
    cell_azimuth_deg: float
    cell_elevation_deg: float
    cell_rate_mps: float
    noise_range_m: float
    noise_azimuth_deg: float
    noise_elevation_deg: float
    noise_rate_mps: float
    reference_db: float
    least_dbsm: float
    softness_db: float
    most: int
    clutter: float
    ghosts: float
    flat: bool
    spread_db: float = 0.0
    fold_mps: float = 0.0

    def of_drive(self, rng: np.random.Generator) -> RadarModel:
        """Return the model with the sensitivity of one drive."""
        more = float(
            np.clip(rng.normal(0, self.spread_db), -2 * self.spread_db, 2 * self.spread_db)
        )
        return replace(
            self, reference_db=self.reference_db + more, least_dbsm=self.least_dbsm - more
        )


RADARS = {
    "sparse": RadarModel(
        azimuth_deg=60.0, elevation_deg=8.0, ray_step_deg=(0.5, 0.5), range_m=200.0,
        far_azimuth_deg=14.0, far_from_m=60.0, cell_range_m=1.8, cell_azimuth_deg=3.2,
        cell_elevation_deg=90.0, cell_rate_mps=0.4, noise_range_m=0.12, noise_azimuth_deg=0.3,
        noise_elevation_deg=0.0, noise_rate_mps=0.08, reference_db=11.0, least_dbsm=-9.0,
        softness_db=3.0, most=125, clutter=2.5, ghosts=0.06, flat=True, spread_db=1.5,
    ),
    "imaging": RadarModel(
        azimuth_deg=55.0, elevation_deg=10.0, ray_step_deg=(0.4, 0.5), range_m=110.0,
        far_azimuth_deg=25.0, far_from_m=60.0, cell_range_m=0.3, cell_azimuth_deg=0.8,
        cell_elevation_deg=1.2, cell_rate_mps=0.4, noise_range_m=0.25, noise_azimuth_deg=1.3,
        noise_elevation_deg=2.1, noise_rate_mps=0.06, reference_db=24.0, least_dbsm=-41.0,
        softness_db=4.0, most=6000, clutter=200.0, ghosts=0.06, flat=False, spread_db=8.0,
    ),
}  # fmt: skip
