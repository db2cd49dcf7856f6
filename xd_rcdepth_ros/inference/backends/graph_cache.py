# SPDX-License-Identifier: Apache-2.0
"""OpenVINO graphs of model files, kept in the user's cache folder.

Tracing and converting a network takes several seconds; reading the result back takes a tenth of
one. A cached graph is used only if it was made from the same weights by the same versions on the
same kind of CPU, and is complete; else it is made anew, and the note says why.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

import xd_rcdepth_ros
from xd_rcdepth_ros.inference.backends.graph import import_openvino, openvino_core
from xd_rcdepth_ros.inference.processor import processor_name

FORMAT = 2  # raised whenever the graph of the same weights changes
_HEADER = "xd_rcdepth_graph"


def cache_folder() -> Path:
    """Return this project's folder in the user's cache (``$XDG_CACHE_HOME``, else ~/.cache)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "xd_rcdepth_ros"


class GraphCache:
    """The cached graph of one model file.

    Args:
        sha256: Checksum of the model file.

    Attributes:
        path: The cache's file.
        note: What happened, in words; empty as long as nothing did.
    """

    def __init__(self, sha256: str) -> None:
        openvino = import_openvino()
        self._made_by = {
            "weights": sha256,
            "format": FORMAT,
            "xd_rcdepth_ros": xd_rcdepth_ros.__version__,
            "openvino": openvino.__version__,
            "cpu": f"{platform.machine()} {processor_name()}",
        }
        self.path = cache_folder() / "graphs" / f"{sha256[:16]}.safetensors"
        self.note = ""

    def load(self) -> tuple[Any, dict[str, Any]] | None:
        """Return the graph (``openvino.Model``) and what was stored with it; None if unusable."""
        if not self.path.is_file():
            self.note = "graph made anew: none was in the cache"
            return None
        try:
            with safe_open(self.path, framework="numpy") as file:
                header = json.loads((file.metadata() or {})[_HEADER])
                if header["made_by"] != self._made_by:
                    self.note = (
                        f"graph made anew: {self.path} is of {_difference(header, self._made_by)}"
                    )
                    return None
                xml, weights = file.get_tensor("xml"), file.get_tensor("weights")
            if header["sha256"] != _checksum(xml, weights):
                raise ValueError("its checksum is wrong")
            openvino = import_openvino()
            graph = openvino_core().read_model(xml.tobytes(), openvino.Tensor(weights))
        except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
            self.note = f"graph made anew: {self.path} is cut short or damaged ({error})"
            return None
        self.note = "graph from the cache"
        return graph, dict(header["facts"])

    def store(self, graph: Any, facts: Mapping[str, Any]) -> None:
        """Keep a graph and what is known of it; the name appears when the file is complete.

        A cache that cannot be written costs time at the next start, nothing else; the note says so.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.path.parent, prefix=".partial.") as folder:
                xml_file = Path(folder) / "graph.xml"
                import_openvino().save_model(graph, xml_file, compress_to_fp16=False)
                xml = np.frombuffer(xml_file.read_bytes(), np.uint8)
                weights = np.frombuffer(xml_file.with_suffix(".bin").read_bytes(), np.uint8)
                header = {
                    "made_by": self._made_by,
                    "facts": dict(facts),
                    "sha256": _checksum(xml, weights),
                }
                data = save({"xml": xml, "weights": weights}, {_HEADER: json.dumps(header)})
                partial = Path(folder) / self.path.name
                partial.write_bytes(data)
                partial.replace(self.path)
        except (OSError, RuntimeError) as error:
            self.note += f"; it could not be kept in {self.path.parent} ({error})"


def _checksum(*parts: NDArray[np.uint8]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.data)
    return digest.hexdigest()


def _difference(header: Mapping[str, Any], made_by: Mapping[str, Any]) -> str:
    found = header["made_by"]
    names = [name for name in made_by if found.get(name) != made_by[name]]
    return ", ".join(f"{name} {found.get(name)} and not {made_by[name]}" for name in names)
