# SPDX-License-Identifier: Apache-2.0
"""What holds files open and closes them at the end of a block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar

_SelfT = TypeVar("_SelfT", bound="Closable")


class Closable(ABC):
    """Context manager that closes itself, whatever happened in the block."""

    def __enter__(self: _SelfT) -> _SelfT:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Close the files."""
