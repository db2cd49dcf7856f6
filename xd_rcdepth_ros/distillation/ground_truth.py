# SPDX-License-Identifier: Apache-2.0
"""What ground truth asks of a network: the terms that teacher and student share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from xd_rcdepth_ros.distillation.losses import (
    depth_edges,
    known,
    laplace_nll,
    masked_bce,
    masked_l1,
    smoothness,
    uncertainty_weights,
)
from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.network.prediction import HEAD_LAYERS


@dataclass(frozen=True)
class Supervision:
    """Ground truth of a batch; depths and sky are (B, 1, H, W), NaN where unknown.

    Attributes:
        dense_m: Interpolated or exact depth, metres; 0 is unknown as well.
        single_m: One lidar sweep, metres; 0 is unknown as well.
        sky: 1 where there is sky or nothing within range, 0 where there is something.
        exact: (B,) bool, the images whose ``dense_m`` is exact also at edges: simulated ones.
    """

    dense_m: Tensor | None = None
    single_m: Tensor | None = None
    sky: Tensor | None = None
    exact: Tensor | None = None

    def valid(self) -> Tensor | None:
        """Return where any depth is known, (B, 1, H, W) bool."""
        masks = [known(depth) for depth in (self.dense_m, self.single_m) if depth is not None]
        if not masks:
            return None
        return masks[0] if len(masks) == 1 else masks[0] | masks[1]


@dataclass(frozen=True)
class GroundTruthWeights:
    """Weights of the terms that compare with ground truth; one of weight 0 is not computed.

    Attributes:
        dense: L1 on dense ground truth, metres.
        single: L1 on the single sweep, metres.
        relative: L1 between logarithms of depth, on both: the error as a share of the depth.
        edges: Differences of log-depth between neighbours, where dense depth is exact.
        error: Negative log-likelihood of the depth's error, for its scale alone.
        sky: Cross-entropy of the sky.
        smoothness: Edge-aware smoothness.
        balance_images: Each image counts as much as any other, however many pixels it knows.
    """

    dense: float = 1.0
    single: float = 1.0
    relative: float = 0.0
    edges: float = 0.0
    error: float = 0.0
    sky: float = 0.0
    smoothness: float = 0.001
    balance_images: bool = False

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, float | int) and not 0 <= value < float("inf"):
                raise ConfigurationError(
                    f"objective weight {item.name} is {value}; expected 0 or more."
                )

    @property
    def head_layers(self) -> tuple[str, ...]:
        """Outputs of the head that the terms need besides depth."""
        return tuple(
            name for name, weight in zip(HEAD_LAYERS, (self.error, self.sky), strict=True) if weight
        )


def ground_truth_terms(
    depth_m: Tensor,
    image: Tensor,
    supervision: Supervision,
    weights: GroundTruthWeights,
    head: Mapping[str, Tensor] | None = None,
    dense_everywhere: bool = False,
    uncertainty: bool = False,
) -> dict[str, Tensor]:
    """Return the terms that have data and weight, by the names of :class:`GroundTruthWeights`.

    Args:
        depth_m: (B, 1, H, W), metres.
        image: (B, 3, H, W) in [0, 1].
        supervision: Ground truth.
        weights: Which terms are wanted.
        head: ``log_error`` and ``sky_logit``, as far as :attr:`head_layers` asks for them.
        dense_everywhere: Hear dense ground truth also where the single sweep has a value.
        uncertainty: Weigh dense and single-sweep places by how far the prediction is off.
    """
    dense, single, head = supervision.dense_m, supervision.single_m, head or {}
    terms, places = {}, {}
    if uncertainty and dense is not None and single is not None:
        places["dense"], places["single"] = uncertainty_weights(depth_m, dense, single)

    def weight(mask: Tensor, name: str = "") -> Tensor | None:
        if not weights.balance_images:
            return places.get(name)
        share = 1 / mask.flatten(1).sum(dim=1).clamp(min=1).view(-1, 1, 1, 1)
        return share.to(depth_m.dtype) * places.get(name, torch.ones_like(depth_m))

    if weights.dense and dense is not None:
        mask = known(dense)
        if single is not None and not dense_everywhere:
            mask = mask & ~known(single)
        terms["dense"] = masked_l1(depth_m, dense, mask, weight(mask, "dense"))
    if weights.single and single is not None:
        mask = known(single)
        terms["single"] = masked_l1(depth_m, single, mask, weight(mask, "single"))
    valid = supervision.valid()
    if valid is not None and (weights.relative or "log_error" in head):
        truth_m = _best_truth(supervision)
        if weights.relative:
            goal = torch.where(valid, truth_m, 1.0).log()
            terms["relative"] = masked_l1(depth_m.log(), goal, valid, weight(valid))
        if "log_error" in head:
            terms["error"] = laplace_nll(
                head["log_error"], depth_m.detach(), truth_m, valid, weight(valid)
            )
    if weights.edges and dense is not None and supervision.exact is not None:
        exact = known(dense) & supervision.exact.view(-1, 1, 1, 1)
        terms["edges"] = depth_edges(depth_m, dense, exact)
    if "sky_logit" in head and supervision.sky is not None:
        mask = torch.isfinite(supervision.sky)
        terms["sky"] = masked_bce(head["sky_logit"], torch.nan_to_num(supervision.sky), mask)
    if weights.smoothness:
        terms["smoothness"] = smoothness(depth_m, image)
    return terms


def _best_truth(supervision: Supervision) -> Tensor:
    """Return the single sweep where it is known, else dense depth, metres."""
    dense, single = supervision.dense_m, supervision.single_m
    if dense is None or single is None:
        depth = single if dense is None else dense
        assert depth is not None
        return depth
    return torch.where(known(single), single, dense)
