# SPDX-License-Identifier: Apache-2.0
"""What runs the network: PyTorch, OpenVINO or ONNX Runtime, all behind one small protocol."""

from xd_rcdepth_ros.inference.backends.agreement import Agreement, check_agreement
from xd_rcdepth_ros.inference.backends.base import Backend
from xd_rcdepth_ros.inference.backends.choice import BACKENDS, Choice, choose_backend
from xd_rcdepth_ros.inference.backends.model_file import ModelFile
from xd_rcdepth_ros.inference.backends.torch import TorchBackend

__all__ = [
    "BACKENDS",
    "Agreement",
    "Backend",
    "Choice",
    "ModelFile",
    "TorchBackend",
    "check_agreement",
    "choose_backend",
]
