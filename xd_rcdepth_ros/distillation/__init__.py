# SPDX-License-Identifier: Apache-2.0
"""What teacher and student are compared by (torch only)."""

from xd_rcdepth_ros.distillation.saliency import grad_cam, saliency_target

__all__ = ["grad_cam", "saliency_target"]
