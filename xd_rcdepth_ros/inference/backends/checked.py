# SPDX-License-Identifier: Apache-2.0
"""An OpenVINO backend whose graph and precision have been checked; what was found is cached."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any

import torch

from xd_rcdepth_ros.errors import CheckpointError, ConfigurationError, DeviceError
from xd_rcdepth_ros.inference.backends.agreement import check_agreement, check_precision
from xd_rcdepth_ros.inference.backends.graph import (
    METADATA,
    openvino_core,
    takes_halved,
    to_openvino,
)
from xd_rcdepth_ros.inference.backends.graph_cache import GraphCache
from xd_rcdepth_ros.inference.backends.model_file import ModelFile
from xd_rcdepth_ros.inference.backends.openvino import OpenVINOBackend, computes_in
from xd_rcdepth_ros.network import file_sha256

Size = tuple[int, int]


def openvino_backend(
    model: ModelFile, precision: str, threads: int, size: Size
) -> tuple[OpenVINOBackend, str]:
    """Make a backend that may be used.

    Args:
        model: Model file.
        precision: ``auto``, ``fp32``, ``bf16``, ``fp16`` or ``int8``.
        threads: CPU threads; 0 leaves the number to OpenVINO.
        size: Height and width of the grid of the checks, multiples of 32.

    Returns:
        The backend, and what the checks found, in words.

    Raises:
        CheckpointError: The quantised file is of other weights, or damaged.
        ConfigurationError: There is no quantised file.
        DeviceError: OpenVINO is not installed, this CPU does not compute in that precision, or a
            check failed.
    """
    if precision == "int8":
        return _quantised(model, threads)
    graph = CheckedGraph.of(model, size)
    notes = [graph.agreement]
    wanted = precision
    if precision == "auto":
        wanted = "bf16" if computes_in("bf16") else "fp32"
        if wanted == "fp32":
            notes.append("fp32, since this CPU does not compute in bf16")
    if wanted != "fp32":
        holds, text = graph.verdict(wanted)
        notes.append(text if holds else f"fp32, since {text}")
        if not holds and precision != "auto":
            raise DeviceError(text)
        wanted = wanted if holds else "fp32"
    return OpenVINOBackend(graph.graph, wanted, threads), "; ".join([*notes, graph.note])


class CheckedGraph:
    """The graph of a model file that agrees with PyTorch; see :meth:`of`.

    The last one is kept in the process as well: PyTorch's tracer frees nothing of what it traces
    (58 MB a student), so that a node that is configured anew would grow where no cache is writable.

    Args:
        model: Model file.
        size: Height and width of the grid of the checks.

    Raises:
        DeviceError: The graph does not agree with PyTorch, or OpenVINO is not installed.
    """

    _last: CheckedGraph | None = None
    _lock = Lock()

    def __init__(self, model: ModelFile, size: Size) -> None:
        self._model, self._size = model, size
        self.sha256 = model.sha256
        self._cache = GraphCache(model.sha256)
        cached = self._cache.load()
        if cached is None:
            network = model.network()
            self.graph = to_openvino(network, halved=takes_halved(network))
            found = check_agreement(
                OpenVINOBackend(self.graph), model.twin(torch.device("cpu")), size
            )
            self._facts: dict[str, Any] = {"fp32": str(found)}
            if computes_in("bf16"):  # so that the file is written once
                self._check("bf16")
            self._cache.store(self.graph, self._facts)
        else:
            self.graph, self._facts = cached

    @classmethod
    def of(cls, model: ModelFile, size: Size) -> CheckedGraph:
        """Return the graph of a model file: the last one, from the cache, or made anew."""
        with cls._lock:
            if cls._last is None or cls._last.sha256 != model.sha256:
                cls._last = cls(model, size)
            return cls._last

    @property
    def agreement(self) -> str:
        """How well it agrees with PyTorch, in words."""
        return str(self._facts["fp32"])

    @property
    def note(self) -> str:
        """Where it came from, in words."""
        return self._cache.note

    def verdict(self, precision: str) -> tuple[bool, str]:
        """Return whether a precision may be used, and why, in words.

        Raises:
            DeviceError: This CPU does not compute in it.
        """
        if precision not in self._facts:
            self._check(precision)
            self._cache.store(self.graph, self._facts)
        holds, text = self._facts[precision]
        return bool(holds), str(text)

    def _check(self, precision: str) -> None:
        backend = OpenVINOBackend(self.graph, precision)
        channels = int(self._model.config.radar_channels)
        try:
            found = check_precision(backend, OpenVINOBackend(self.graph), self._size, channels)
            self._facts[precision] = (True, f"{precision} on road scenes: {found}")
        except DeviceError as error:
            self._facts[precision] = (False, str(error))


def quantised_file(model_file: Path) -> Path:
    """Return where the quantised graph of a model file lies: beside it, ending in .int8.xml."""
    return model_file.with_suffix(".int8.xml")


def _quantised(model: ModelFile, threads: int) -> tuple[OpenVINOBackend, str]:
    path = quantised_file(model.path)
    command = (
        f"xd-rcdepth export --format openvino --precision int8 --model {model.path} --out {path}"
    )
    if not path.is_file():
        raise ConfigurationError(
            f"precision int8 needs a quantised file, and there is none at {path}. Make it: "
            f"{command}"
        )
    try:
        graph = openvino_core().read_model(path)
        facts = {
            key: graph.get_rt_info([METADATA, key]).astype(str)
            for key in ("source_sha256", "weights_sha256", "loss")
        }
        complete = file_sha256(path.with_suffix(".bin")) == facts["weights_sha256"]
    except (OSError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} is no quantised file of this project, or damaged ({error}). Make it anew: "
            f"{command}"
        ) from error
    if facts["source_sha256"] != model.sha256:
        raise CheckpointError(
            f"{path} was quantised from other weights (sha256 {facts['source_sha256'][:12]}) than "
            f"{model.path} (sha256 {model.sha256[:12]}). Make it anew: {command}"
        )
    if not complete:
        raise CheckpointError(
            f"{path.with_suffix('.bin')} does not belong to {path}. Make both anew: {command}"
        )
    return OpenVINOBackend(
        graph, "int8", threads
    ), f"int8, quantised when exported: {facts['loss']}"
