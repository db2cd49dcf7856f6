# SPDX-License-Identifier: Apache-2.0
"""Depth-distribution distillation: a regressed depth becomes a distribution over depth bins.

p_k = softmax_k(-|D - c_k| / temperature) for teacher and student, compared by a Kullback-Leibler
divergence. No head is added, so it costs nothing once trained. Away from the range's ends and with
bins narrower than the temperature t, the divergence at a gap d is d / t + exp(-d / t) - 1: square
for small gaps, linear for large ones.

Public are the bins, the negated deviation, the temperature softmax and a divergence. Number,
spacing and range of the bins, temperature, direction and mask are switches with this project's own
defaults.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from xd_rcdepth_ros.errors import ConfigurationError

SPACINGS = ("uniform", "lid", "sid")
DIRECTIONS = ("teacher_student", "student_teacher")
_CHUNK_VALUES = 1 << 20  # pixels x bins held at once: 4 MiB a tensor in single precision


@dataclass(frozen=True)
class DistributionConfig:
    """How depth becomes a distribution.

    Attributes:
        bins: Number of bins.
        spacing: ``uniform``; ``lid``: widths grow linearly; ``sid``: widths grow with depth
            (equal in the logarithm of depth + 1 m - min_m).
        min_m: Lower end of the first bin, metres.
        max_m: Upper end of the last bin, metres.
        temperature: Of the softmax, metres.
        temperature_squared: Multiply by the temperature's square, as is usual for class scores.
        direction: ``teacher_student`` is KL(teacher || student); ``student_teacher`` the other.
        mask: ``all`` places, or only those where ground truth is ``valid``.
        stride: Take every ``stride``-th row and column only.
    """

    bins: int = 80
    spacing: str = "uniform"
    min_m: float = 0.0
    max_m: float = 100.0
    temperature: float = 1.0
    temperature_squared: bool = False
    direction: str = "teacher_student"
    mask: str = "all"
    stride: int = 1

    def __post_init__(self) -> None:
        for name, allowed in (
            ("spacing", SPACINGS),
            ("direction", DIRECTIONS),
            ("mask", ("all", "valid")),
        ):
            if getattr(self, name) not in allowed:
                raise ConfigurationError(
                    f"distribution {name} is {getattr(self, name)!r}; expected one of {allowed}."
                )
        if self.bins < 2 or not self.min_m < self.max_m or self.stride < 1:
            raise ConfigurationError(
                f"distribution has {self.bins} bins from {self.min_m} m to {self.max_m} m and "
                f"stride {self.stride}; expected at least 2 bins, min_m < max_m, stride >= 1."
            )
        if not self.temperature > 0:
            raise ConfigurationError(
                f"distribution temperature is {self.temperature} m; expected more than 0."
            )


def bin_centres(config: DistributionConfig) -> Tensor:
    """Return the bins' centres (bins,), double precision, metres, ascending."""
    step = torch.linspace(0, 1, config.bins + 1, dtype=torch.float64)
    extent = config.max_m - config.min_m
    if config.spacing == "uniform":
        edges = extent * step
    elif config.spacing == "lid":
        index = step * config.bins
        edges = extent * index * (index + 1) / (config.bins * (config.bins + 1))
    else:
        edges = (1 + extent) ** step - 1
    return config.min_m + (edges[1:] + edges[:-1]) / 2


def depth_distribution_loss(
    student: Tensor, teacher: Tensor, config: DistributionConfig, valid: Tensor | None = None
) -> Tensor:
    """Return the mean divergence between the depth distributions of student and teacher.

    Args:
        student: (B, 1, H, W) metres (or any regressed quantity in the config's range).
        teacher: (B, 1, H, W) metres; places that are not finite are left out.
        config: Bins, temperature, direction, mask.
        valid: (B, 1, H, W) bool, where ground truth is valid, for that mask.

    Returns:
        Scalar, at least single precision; 0 where no place is left.
    """
    if config.mask == "valid" and valid is None:
        raise ConfigurationError("distribution mask 'valid' needs ground truth; none was given.")
    thin = (..., slice(None, None, config.stride), slice(None, None, config.stride))
    student, teacher = student[thin], teacher.detach()[thin]
    mask = torch.isfinite(teacher)
    if config.mask == "valid" and valid is not None:
        mask = mask & valid[thin]
    if student.element_size() < 4:
        student = student.float()
    places, goals = student[mask], teacher[mask].to(student.dtype)
    centres = bin_centres(config).to(places)
    total: Tensor = _BinnedDivergence.apply(places, goals, centres, config)  # type: ignore[no-untyped-call]
    scale = config.temperature**2 if config.temperature_squared else 1.0
    return scale * total / max(places.numel(), 1)


def class_distribution_loss(
    student: Tensor,
    teacher: Tensor,
    temperature: float = 1.0,
    direction: str = "teacher_student",
    mask: Tensor | None = None,
) -> Tensor:
    """Return the mean divergence between class distributions, for predictions that have scores.

    Args:
        student: (B, K, H, W) scores before the softmax.
        teacher: (B, K, H, W) scores; no gradient goes there.
        temperature: Of both softmaxes.
        direction: As in :class:`DistributionConfig`.
        mask: (B, 1, H, W) bool, the places that count; all without it.

    Returns:
        Scalar, at least single precision; 0 where no place is left.
    """
    scores = [x if x.element_size() >= 4 else x.float() for x in (student, teacher.detach())]
    own, goal = (torch.log_softmax(x / temperature, dim=1) for x in scores)
    if direction == "student_teacher":
        own, goal = goal, own
    divergence = (goal.exp() * (goal - own)).sum(dim=1, keepdim=True)
    if mask is None:
        return divergence.mean()
    return divergence.masked_fill(~mask, 0).sum() / mask.sum().clamp(min=1)


class _BinnedDivergence(torch.autograd.Function):
    """Summed divergence of (N,) depths, in chunks; each chunk leaves only its gradient (N,)."""

    @staticmethod
    def forward(
        ctx: Any, student: Tensor, teacher: Tensor, centres: Tensor, config: DistributionConfig
    ) -> Tensor:
        total = student.new_zeros(())
        gradient = torch.empty_like(student)
        size = max(_CHUNK_VALUES // len(centres), 1)
        for start in range(0, len(student), size):
            part = slice(start, start + size)
            total += _divergence(student[part], teacher[part], centres, config, out=gradient[part])
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return upstream * gradient, None, None, None


def _divergence(
    student: Tensor, teacher: Tensor, centres: Tensor, config: DistributionConfig, out: Tensor
) -> Tensor:
    """Return the summed divergence of (n,) depths; write its gradient by the student's to ``out``.

    With logits l_k: dKL(t || s) / dl_k = s_k - t_k and dKL(s || t) / dl_k = s_k (log s_k / t_k -
    KL); dl_k / dD = -sign(D - c_k) / temperature. Logarithms stay logarithms: probabilities of
    far bins underflow.
    """
    gap = student[:, None] - centres
    own = torch.log_softmax(gap.abs().div_(-config.temperature), dim=1)
    goal = (teacher[:, None] - centres).abs_().div_(-config.temperature)
    goal = torch.log_softmax(goal, dim=1)
    slope = gap.sign_().div_(-config.temperature)
    if config.direction == "teacher_student":
        p = goal.exp()
        divergence = goal.sub_(own).mul_(p).sum(dim=1)
        by_logit = own.exp_().sub_(p)
    else:
        p = own.exp()
        ratio = own.sub_(goal)
        divergence = (ratio * p).sum(dim=1)
        by_logit = ratio.sub_(divergence[:, None]).mul_(p)
    torch.sum(slope.mul_(by_logit), dim=1, out=out)
    return divergence.sum()
