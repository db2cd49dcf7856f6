# SPDX-License-Identifier: Apache-2.0
"""The teacher's answers on disk: asked once, used by all passes and runs that may share them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from xd_rcdepth_ros.distillation import StudentObjective, TeacherReference
from xd_rcdepth_ros.training.kept import keep_array

Key = tuple[int, ...]


class ReferenceStore:
    """Depth and attribution maps of a teacher by source, frame and variant, in half precision.

    Args:
        folder: Where they lie.
        identity: All that the answers depend on besides the key: the teacher's checksum, the
            bags, the grid, the augmentation.
        objective: Says which maps are wanted.
    """

    def __init__(self, folder: Path, identity: object, objective: StudentObjective) -> None:
        config = objective.explanations
        self._layers = config.layers if objective.explanation else ()
        base = folder / _digest(identity)
        self._folders = {"depth": base / "depth"}
        for layer in self._layers:
            self._folders[layer] = base / f"{layer}-{_digest((asdict(config), layer))}"

    def get(self, keys: Sequence[Key], device: torch.device) -> TeacherReference | None:
        """Return the answers for a batch, or None if any is missing or damaged."""
        parts: dict[str, Tensor] = {}
        for name in self._folders:
            try:
                arrays = [np.load(self._file(name, key), allow_pickle=False) for key in keys]
            except (OSError, ValueError, EOFError):
                return None
            parts[name] = torch.from_numpy(np.stack(arrays)).to(device).float()
        depth = parts.pop("depth")
        return TeacherReference(depth, parts)

    def put(self, keys: Sequence[Key], reference: TeacherReference) -> None:
        """Keep the answers for a batch."""
        tensors = {"depth": reference.depth_m, **reference.maps}
        for name, tensor in tensors.items():
            arrays = tensor.detach().cpu().numpy()
            for key, array in zip(keys, arrays, strict=True):
                file = self._file(name, key)
                if not file.exists():
                    keep_array(file, array)

    def _file(self, name: str, key: Key) -> Path:
        return self._folders[name] / ("-".join(map(str, key)) + ".npy")


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]
