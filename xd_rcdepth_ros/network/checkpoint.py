# SPDX-License-Identifier: Apache-2.0
"""Model files: safetensors weights with a JSON header that says what they are.

Nothing is ever unpickled. Matrices are stored in half precision; vectors (biases, batch statistics)
stay in single precision, because they are few and half precision's range is too small for some.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from xd_rcdepth_ros.errors import CheckpointError, ConfigurationError
from xd_rcdepth_ros.network.student import Student, StudentConfig
from xd_rcdepth_ros.network.teacher import Teacher, TeacherConfig

MAX_FILE_BYTES = 1 << 30
MAX_HEADER_BYTES = 1 << 20
MAX_CONFIG_ENTRIES = 64  # of a list in a header's configuration
_HEADER_KEY = "xd_rcdepth"

# Architecture name -> (configuration class, module class).
ARCHITECTURES: dict[str, tuple[type, Callable[[Any], nn.Module]]] = {
    "xd_rcdepth_student": (StudentConfig, Student),
    "cafnet_teacher": (TeacherConfig, Teacher),
}


@dataclass(frozen=True)
class ModelHeader:
    """What a model file says about itself.

    Attributes:
        architecture: Key of ``ARCHITECTURES``.
        config: Arguments of that architecture's configuration class.
        focal_length_px: Focal length of the images it was trained on, pixels at the network's
            input. Images of other cameras are resized to it, which keeps the metric scale.
        input_size: (height, width) of the training input, pixels.
        channels: Radar channels by name.
        normalisation: How inputs are scaled inside the network.
        training_data: Data the weights were trained on.
        licence: Licence of the weights.
        git_revision: Revision of the code that trained them.
        metrics: Figures with the protocol they were measured by.
        row_median_depth_m: Median depth of each row of the training input: the plain baseline.
    """

    architecture: str
    config: Mapping[str, Any] = field(default_factory=dict)
    focal_length_px: float | None = None
    input_size: tuple[int, int] = (352, 704)
    channels: tuple[str, ...] = ("depth", "rcs", "vx", "vy")
    normalisation: str = "image in [0, 1], ImageNet mean and std inside; radar raw, scaled inside"
    training_data: str = ""
    licence: str = ""
    git_revision: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    row_median_depth_m: tuple[float, ...] = ()


def save_checkpoint(path: Path | str, model: nn.Module, header: ModelHeader) -> None:
    """Write a model file; the name appears only when it is complete.

    Args:
        path: Target, ending in ``.safetensors``.
        model: Module whose parameters and buffers are saved.
        header: What the file says about itself.
    """
    path = Path(path)
    tensors = {
        name: (value.half() if value.is_floating_point() and value.dim() > 1 else value)
        .detach()
        .cpu()
        .contiguous()
        for name, value in model.state_dict().items()
    }
    for name, value in tensors.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise CheckpointError(
                f"weights {name} hold values that are not finite in half precision; the training "
                "diverged. Nothing was written."
            )
    partial = path.with_name(path.name + ".partial")
    save_file(tensors, partial, metadata={_HEADER_KEY: json.dumps(asdict(header))})
    partial.chmod(0o644)  # safetensors writes for the owner alone
    partial.replace(path)


def read_header(path: Path | str) -> ModelHeader:
    """Return what a model file says about itself, without loading the weights.

    Raises:
        CheckpointError: The file is missing, too large, damaged, or not one of this project's.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(
            f"no model file at {path}. Give the path of a .safetensors file of this project, "
            "for example models/student.safetensors."
        )
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise CheckpointError(f"{path} has {size} bytes; at most {MAX_FILE_BYTES} are accepted.")
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_HEADER_KEY)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} is not a readable safetensors file ({error}). Pickled .pt or .pth files are "
            "refused for safety; a damaged file must be fetched again."
        ) from error
    if text is None or len(text) > MAX_HEADER_BYTES:
        raise CheckpointError(
            f"{path} is a safetensors file, but has no usable header {_HEADER_KEY!r}: it was not "
            "written by this project."
        )
    return _parse_header(path, text)


def _parse_header(path: Path, text: str) -> ModelHeader:
    try:
        values = json.loads(text)
        known = {f.name: f for f in fields(ModelHeader)}
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        header = ModelHeader(**{k: v for k, v in values.items() if k in known})
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"the header of {path} is damaged: {error}.") from error
    if header.architecture not in ARCHITECTURES:
        raise CheckpointError(
            f"{path} holds architecture {header.architecture!r}; this version knows "
            f"{sorted(ARCHITECTURES)}."
        )
    focal = header.focal_length_px
    if focal is not None and not (isinstance(focal, (int, float)) and 1 < focal < math.inf):
        raise CheckpointError(f"the header of {path} has focal_length_px = {focal!r}.")
    return header


def build_model(header: ModelHeader, source: str = "header") -> nn.Module:
    """Make the module that a header describes, with fresh weights."""
    config_class, module_class = ARCHITECTURES[header.architecture]
    try:
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in header.config.items()}
        for name, value in values.items():
            if isinstance(value, tuple) and len(value) > MAX_CONFIG_ENTRIES:
                raise ValueError(f"{name} has {len(value)} entries")
        return module_class(config_class(**values))
    except (TypeError, ValueError, RuntimeError, ConfigurationError) as error:
        raise CheckpointError(
            f"{source} describes no possible {header.architecture}: {error}. Was it written by a "
            "newer version?"
        ) from error


def load_checkpoint(path: Path | str) -> tuple[nn.Module, ModelHeader]:
    """Read a model file.

    Args:
        path: A file written by :func:`save_checkpoint`.

    Returns:
        The module in eval mode, single precision, on the CPU; and the header.

    Raises:
        CheckpointError: The file is missing, damaged, too large, or does not fit its own header.
    """
    path = Path(path)
    header = read_header(path)
    # First as a shell without memory: what a header claims must not cost more than its file.
    with torch.device("meta"):
        expected = build_model(header, str(path)).state_dict()
    with safe_open(path, framework="pt") as file:
        names = set(file.keys())
        if names != set(expected):
            missing, extra = sorted(set(expected) - names), sorted(names - set(expected))
            raise CheckpointError(
                f"{path} does not fit {header.architecture}: missing {missing[:3]}, "
                f"unexpected {extra[:3]}."
            )
        for name, like in expected.items():
            shape = tuple(file.get_slice(name).get_shape())
            if shape != tuple(like.shape):
                raise CheckpointError(
                    f"{path}: {name} has shape {shape}; expected {tuple(like.shape)}."
                )
        weights = {}
        for name, like in expected.items():
            value = file.get_tensor(name)
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise CheckpointError(f"{path}: {name} holds values that are not finite.")
            weights[name] = value.to(like.dtype)
    model = build_model(header, str(path))
    model.load_state_dict(weights)
    return model.eval(), header


def require_sha256(path: Path | str, digits: str) -> None:
    """Refuse a file that is not the one that is meant.

    Args:
        path: The file.
        digits: First digits of its SHA-256, in lower case; empty for any file.

    Raises:
        CheckpointError: The file cannot be read, or has another checksum.
    """
    if not digits:
        return
    try:
        found = file_sha256(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not found.startswith(digits):
        raise CheckpointError(
            f"{path} has the SHA-256 {found}; expected one that begins with {digits}. It is not "
            "the model that is meant: fetch that one, or correct the expected checksum."
        )


def file_sha256(path: Path | str) -> str:
    """Return the SHA-256 checksum of a file as hexadecimal digits."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
