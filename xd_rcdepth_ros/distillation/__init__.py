# SPDX-License-Identifier: Apache-2.0
"""What teacher and student are trained and compared by (torch only)."""

from xd_rcdepth_ros.distillation.confidence import (
    ConfidenceConfig,
    confidence_label,
    confidence_labels,
)
from xd_rcdepth_ros.distillation.distribution import (
    DistributionConfig,
    class_distribution_loss,
    depth_distribution_loss,
)
from xd_rcdepth_ros.distillation.explanation import ExplanationConfig, alignment_loss, explain
from xd_rcdepth_ros.distillation.ground_truth import GroundTruthWeights, Supervision
from xd_rcdepth_ros.distillation.objective import (
    Explainable,
    StudentObjective,
    TeacherObjective,
    TeacherReference,
    refer,
    student_loss,
    teacher_loss,
)
from xd_rcdepth_ros.distillation.saliency import grad_cam, saliency_target

__all__ = [
    "ConfidenceConfig",
    "DistributionConfig",
    "Explainable",
    "ExplanationConfig",
    "GroundTruthWeights",
    "StudentObjective",
    "Supervision",
    "TeacherObjective",
    "TeacherReference",
    "alignment_loss",
    "class_distribution_loss",
    "confidence_label",
    "confidence_labels",
    "depth_distribution_loss",
    "explain",
    "grad_cam",
    "refer",
    "saliency_target",
    "student_loss",
    "teacher_loss",
]
