# SPDX-License-Identifier: Apache-2.0
"""A model as a file for other runtimes, checked against PyTorch before its name appears."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import ConfigurationError, DeviceError
from xd_rcdepth_ros.inference.backends.agreement import TOLERANCES, check_agreement
from xd_rcdepth_ros.inference.backends.base import Backend, import_runtime
from xd_rcdepth_ros.inference.backends.graph import (
    METADATA,
    import_openvino,
    openvino_core,
    to_exported_program,
    to_onnx,
    to_openvino,
)
from xd_rcdepth_ros.inference.backends.onnx import OnnxBackend
from xd_rcdepth_ros.inference.backends.openvino import OpenVINOBackend
from xd_rcdepth_ros.inference.backends.torch import TorchBackend
from xd_rcdepth_ros.inference.quantisation import measure_loss, quantise, split_frames
from xd_rcdepth_ros.inference.road_frames import RoadFrame
from xd_rcdepth_ros.network import STRIDE, ModelHeader, file_sha256, load_checkpoint

SUFFIXES = {"onnx": ".onnx", "openvino": ".xml", "torch_export": ".pt2"}
CONTRACT = {
    "image": "(1, H, W, 3) uint8, RGB, rectified; H and W multiples of 32",
    "radar": "(1, C, H, W) float32: depth m, RCS dBsm, vx m/s, vy m/s; one pixel a return, else 0",
    "depth": "(1, C, H, W) float32: depth in metres along the optical axis; if C is 3, also the "
    "expected error as a share of the depth, and the probability of sky or nothing within range",
}


class _ProgramBackend:
    """A ``torch.export`` program as a backend, to be checked like the others."""

    name, device, precision, threads, note = "torch_export", "cpu", "fp32", 0, ""

    def __init__(self, path: Path) -> None:
        self._module = torch.export.load(path).module()

    def run(self, image: NDArray[np.uint8], radar: NDArray[np.float32]) -> NDArray[np.float32]:
        """Estimate depth; inputs and output as in ``Backend.run``."""
        with torch.no_grad():
            output = self._module(torch.from_numpy(image)[None], torch.from_numpy(radar)[None])
        return np.asarray(output[0].numpy())


def export_model(
    model_file: Path | str,
    out: Path | str,
    file_format: str,
    frames: Sequence[RoadFrame] = (),
) -> dict[str, Any]:
    """Write a model for another runtime, load it there, and compare it with PyTorch.

    The graph takes and gives what ``CONTRACT`` says: normalisation is part of it, and height and
    width are free.

    Args:
        model_file: A .safetensors file of this project.
        out: File to write; OpenVINO's weights go beside it, as ``.bin``.
        file_format: ``onnx``, ``openvino`` or ``torch_export``.
        frames: If there are any, an OpenVINO file is quantised to int8: two thirds of the frames
            calibrate it, and the others measure what that costs.

    Returns:
        Files with size and checksum, inputs and output, checks and identity, ready for JSON.

    Raises:
        CheckpointError: The model file cannot be used.
        ConfigurationError: The format is unknown, or the file's name does not fit it.
        DeviceError: The runtime is not installed, or what it computes differs from PyTorch; then
            nothing is written.
    """
    out = Path(out)
    suffix = SUFFIXES.get(file_format)
    if suffix is None:
        raise ConfigurationError(f"format is {file_format!r}; expected one of {sorted(SUFFIXES)}.")
    if out.suffix != suffix:
        raise ConfigurationError(f"{out} must end in {suffix} for the format {file_format}.")
    if frames and file_format != "openvino":
        raise ConfigurationError(f"int8 is for the format openvino; the format is {file_format}.")
    network, header = load_checkpoint(model_file)
    facts = _facts(Path(model_file), header, network)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.stem}.partial.") as folder:
        path = Path(folder) / out.name
        if frames:
            checks = _write_quantised(network, path, facts, frames)
        else:
            backend = _write(network, path, file_format, facts)
            twin = TorchBackend(network, torch.device("cpu"))
            checks = [_check(backend, twin, size) for size in _sizes(header)]
        files = []
        # The name that was asked for comes last: whoever sees it sees all of it.
        for part in sorted(Path(folder).iterdir(), key=lambda path: path.name == out.name):
            part.chmod(0o644)
            files.append(part.replace(out.with_name(part.name)))
    return {
        "format": file_format,
        "files": [
            {"name": str(f), "bytes": f.stat().st_size, "sha256": file_sha256(f)} for f in files
        ],
        "contract": CONTRACT,
        "checks": checks,
        "model": facts,
    }


def _write(network: Any, path: Path, file_format: str, facts: Mapping[str, Any]) -> Backend:
    """Write a file, and return a backend that was made from it."""
    if file_format == "torch_export":
        extra = {f"{METADATA}.json": json.dumps(facts)}
        torch.export.save(to_exported_program(network), path, extra_files=extra)
        return _ProgramBackend(path)
    if file_format == "openvino":
        _save(to_openvino(network), path, facts)
        return OpenVINOBackend(openvino_core().read_model(path))
    onnx = import_runtime("onnx", "onnx")
    model = onnx.load_from_string(to_onnx(network))
    for key, value in facts.items():
        model.metadata_props.add(key=f"{METADATA}.{key}", value=str(value))
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return OnnxBackend(path.read_bytes(), torch.device("cpu"))


def _save(graph: Any, path: Path, facts: Mapping[str, Any]) -> None:
    for key, value in facts.items():
        graph.set_rt_info(str(value), [METADATA, key])
    import_openvino().save_model(graph, path, compress_to_fp16=False)


def _write_quantised(
    network: Any, path: Path, facts: dict[str, Any], frames: Sequence[RoadFrame]
) -> list[dict[str, Any]]:
    """Write a quantised OpenVINO file with its loss of accuracy, and return what was measured.

    Raises:
        DeviceError: It loses too much.
    """
    graph = to_openvino(network)
    calibration, held_out = split_frames(frames)
    quantised = quantise(graph, calibration)
    loss = measure_loss(OpenVINOBackend(graph), OpenVINOBackend(quantised, "int8"), held_out)
    allowed = TOLERANCES["int8"].mean
    if not loss.difference <= allowed:
        raise DeviceError(
            f"quantised to int8, the depth moves by {loss}; at most {100 * allowed:g} % are "
            "allowed. Calibrate with more frames that look like yours, or use bf16."
        )
    _save(quantised, path, facts)
    facts |= {
        "precision": "int8",
        "calibration_frames": len(calibration),
        "loss": str(loss),
        "weights_sha256": file_sha256(path.with_suffix(".bin")),
    }
    _save(quantised, path, facts)  # once more: the checksum stands in the file beside the weights
    return [asdict(loss)]


def _check(backend: Backend, twin: TorchBackend, size: tuple[int, int]) -> dict[str, Any]:
    found = check_agreement(backend, twin, size)
    return {
        "grid": list(size),
        "largest_difference_m": found.worst_m,
        "largest_difference_share": found.worst,
        "allowed_share": found.tolerance.worst,
    }


def _sizes(header: ModelHeader) -> list[tuple[int, int]]:
    """Return two grids, one of them near the training's: height and width must be free."""
    height, width = (min(max(-(-n // STRIDE), 2), 32) * STRIDE for n in header.input_size)
    return [(height, width), (height - STRIDE, width + STRIDE)]


def _facts(path: Path, header: ModelHeader, network: Any) -> dict[str, Any]:
    return {
        "source": path.name,
        "source_sha256": file_sha256(path),
        "architecture": header.architecture,
        "licence": header.licence,
        "training_data": header.training_data,
        "max_depth_m": network.config.max_depth_m,
        "focal_length_px": header.focal_length_px,
    }
