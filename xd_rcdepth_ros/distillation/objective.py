# SPDX-License-Identifier: Apache-2.0
"""The full objectives: what a teacher and what a student is trained by.

Student: L1 on dense and on single-sweep ground truth, smoothness, and up to three things that a
teacher can give: explanations, depth distributions, and (for comparison) plain L1 on its depth.
The networks know nothing of this: any module with ``forward_taps`` can be either side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from xd_rcdepth_ros.distillation.distribution import DistributionConfig, depth_distribution_loss
from xd_rcdepth_ros.distillation.explanation import ExplanationConfig, alignment_loss, explain
from xd_rcdepth_ros.distillation.ground_truth import (
    GroundTruthWeights,
    Supervision,
    ground_truth_terms,
)
from xd_rcdepth_ros.distillation.losses import known, masked_bce, masked_l1
from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.network.teacher import TeacherOutput

TEACHER_TERMS = ("explanation", "distribution", "response")


class Explainable(Protocol):
    """A network that lends out its activations."""

    training: bool

    def forward_taps(
        self, image: Tensor, radar: Tensor, layers: tuple[str, ...]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return a dense prediction, and activations by name, in its graph."""


@dataclass(frozen=True)
class TeacherReference:
    """What a teacher says about a batch; may be kept and used again.

    Attributes:
        depth_m: (B, 1, H, W), metres.
        maps: Attribution maps (B, 1, h, w) by layer.
        seed: Of the ``projection`` target that the maps belong to.
    """

    depth_m: Tensor
    maps: Mapping[str, Tensor] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class StudentObjective(GroundTruthWeights):
    """Weights of the student's terms; a term of weight 0 is not computed.

    Dense ground truth is heard where the single sweep has no value.

    Attributes:
        explanation: Alignment of explanations.
        distribution: Divergence of depth distributions.
        response: Plain L1 on the teacher's depth.
        uncertainty: Weigh dense and single-sweep places by how far the prediction is off.
        explanations: How explanations are made and compared.
        distributions: How depth becomes a distribution.
    """

    explanation: float = 1.0
    distribution: float = 1.0
    response: float = 0.0
    uncertainty: bool = False
    explanations: ExplanationConfig = field(default_factory=ExplanationConfig)
    distributions: DistributionConfig = field(default_factory=DistributionConfig)

    @property
    def needs_teacher(self) -> bool:
        """True if any term compares with a teacher."""
        return any(getattr(self, name) > 0 for name in TEACHER_TERMS)

    def with_teacher(self, factor: float) -> StudentObjective:
        """Return the objective with the weights of what the teacher says times a factor."""
        weights = {name: factor * getattr(self, name) for name in TEACHER_TERMS}
        return replace(self, **weights)


def refer(
    teacher: Explainable,
    image: Tensor,
    radar: Tensor,
    objective: StudentObjective,
    supervision: Supervision | None = None,
    seed: int = 0,
) -> TeacherReference:
    """Ask a teacher what a student will be compared with.

    Args:
        teacher: In eval mode. Freeze its parameters (``requires_grad_(False)``): the graph then
            starts at the first explained layer, which saves time and memory.
        image: (B, 3, H, W) in [0, 1].
        radar: (B, C, H, W) raster.
        objective: Says whether explanations are wanted, and which.
        supervision: Needed for the target ``valid``.
        seed: Of the target ``projection``.

    Returns:
        Depth and maps, detached.
    """
    if teacher.training:
        raise ConfigurationError(
            "the teacher is in training mode, so its answers depend on the batch; call eval()."
        )
    config = objective.explanations
    if objective.explanation == 0:
        with torch.no_grad():
            return TeacherReference(teacher.forward_taps(image, radar, ())[0].detach(), seed=seed)
    with torch.enable_grad():
        depth, taps = teacher.forward_taps(image, radar, config.layers)
        mask = _target_mask(config, depth.detach(), supervision)
        maps = explain(depth, taps, config, mask, seed)
    return TeacherReference(depth.detach(), maps, seed)


def student_loss(
    student: Explainable,
    image: Tensor,
    radar: Tensor,
    supervision: Supervision,
    objective: StudentObjective,
    reference: TeacherReference | None = None,
) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """Run a student and return its loss.

    Args:
        student: Network in training.
        image: (B, 3, H, W) in [0, 1].
        radar: (B, C, H, W) raster.
        supervision: Ground truth.
        objective: Terms and weights.
        reference: The teacher's answer, if the objective needs one.

    Returns:
        Weighted sum; its terms before weighting, detached, by name; the depth, detached.
    """
    if objective.needs_teacher and reference is None:
        raise ConfigurationError(
            "the objective compares with a teacher, but no reference was given. Call refer(), or "
            "set the weights explanation, distribution and response to 0."
        )
    config = objective.explanations
    layers = config.layers if objective.explanation else ()
    depth, taps = student.forward_taps(image, radar, (*layers, *objective.head_layers))
    head = {name: taps.pop(name) for name in objective.head_layers}
    terms = ground_truth_terms(
        depth, image, supervision, objective, head, uncertainty=objective.uncertainty
    )
    if reference is not None:
        if objective.explanation:
            mask = _target_mask(config, reference.depth_m, supervision)
            maps = explain(depth, taps, config, mask, reference.seed, create_graph=True)
            terms["explanation"] = alignment_loss(maps, reference.maps, config)
        if objective.distribution:
            terms["distribution"] = depth_distribution_loss(
                depth, reference.depth_m, objective.distributions, supervision.valid()
            )
        if objective.response:
            everywhere = torch.isfinite(reference.depth_m)
            terms["response"] = masked_l1(depth, reference.depth_m, everywhere)
    total = sum((getattr(objective, k) * v for k, v in terms.items()), depth.new_zeros(()))
    return total, {k: v.detach() for k, v in terms.items()}, depth.detach()


def _target_mask(
    config: ExplanationConfig, teacher_depth_m: Tensor, supervision: Supervision | None
) -> Tensor | None:
    """Return the places whose mean is explained: the same for teacher and student."""
    if config.target == "near":
        return teacher_depth_m < config.near_m
    if config.target == "valid" and supervision is not None:
        return supervision.valid()
    return None


@dataclass(frozen=True)
class TeacherObjective(GroundTruthWeights):
    """Weights of the teacher's terms; the defaults are CaFNet's.

    Attributes:
        single: L1 on the single sweep; 1 in the variant that LiRCDepth distils.
        confidence: Binary cross-entropy of the confidence.
        coarse: L1 of stage 1's depth on dense ground truth.
    """

    single: float = 0.0
    confidence: float = 1.0
    coarse: float = 0.5


def teacher_loss(
    output: TeacherOutput,
    image: Tensor,
    supervision: Supervision,
    confidence_label: Tensor,
    objective: TeacherObjective,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return a teacher's loss.

    Args:
        output: What the teacher said.
        image: (B, 3, H, W) in [0, 1].
        supervision: Ground truth; dense is needed.
        confidence_label: (B, 1, H, W) from ``confidence_labels``.
        objective: Weights.

    Returns:
        Weighted sum, and its terms before weighting, detached, by name.
    """
    dense = supervision.dense_m
    if dense is None:
        raise ConfigurationError("the teacher's objective needs dense ground truth; none came.")
    head = {name: getattr(output, name) for name in objective.head_layers}
    if any(value is None for value in head.values()):
        raise ConfigurationError(
            f"the objective has weights for {', '.join(head)}, which this teacher does not say. "
            "Set teacher_network.error_and_sky, or the weights error and sky to 0."
        )
    mask = known(dense)
    terms = ground_truth_terms(
        output.depth_m, image, supervision, objective, head, dense_everywhere=True
    )
    terms["confidence"] = masked_bce(output.confidence_logit, confidence_label, mask)
    terms["coarse"] = masked_l1(output.coarse_m, dense, mask)
    total = sum((getattr(objective, k) * v for k, v in terms.items()), output.depth_m.new_zeros(()))
    return total, {k: v.detach() for k, v in terms.items()}
