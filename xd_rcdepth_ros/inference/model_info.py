# SPDX-License-Identifier: Apache-2.0
"""Which model runs, by what and on what."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from xd_rcdepth_ros.network import ModelHeader


@dataclass(frozen=True)
class ModelInfo:
    """What is really running.

    Attributes:
        name: File name of the model.
        architecture: Its architecture.
        parameters: Number of weights.
        sha256: Checksum of the model file.
        device: Device in use.
        backend: Backend in use.
        precision: Precision in use.
        max_depth_m: Upper end of the network's range, metres.
        header: The model file's header.
        backend_note: Why that backend runs, and how well it agrees with PyTorch.
        threads: CPU threads of the backend; 0 where it does not tell.
        estimates_error: Whether the network says how far its depth may be off.
    """

    name: str
    architecture: str
    parameters: int
    sha256: str
    device: str
    backend: str
    precision: str
    max_depth_m: float
    header: ModelHeader
    backend_note: str = ""
    threads: int = 0
    estimates_error: bool = False

    @property
    def identity(self) -> str:
        """Name and first 12 digits of the SHA-256 of the model file."""
        return f"{self.name} {self.sha256[:12]}"

    def describe(self) -> dict[str, Any]:
        """Return all of it, for logs, reports and diagnostics."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        del own["header"]
        return {"model": own.pop("name"), **own, "licence": self.header.licence}
