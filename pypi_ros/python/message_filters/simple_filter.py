# SPDX-License-Identifier: Apache-2.0
"""What all filters have in common: callbacks that get the output."""

from collections.abc import Callable
from typing import Any


class SimpleFilter:
    """Passes its output to every registered callback."""

    def __init__(self) -> None:
        self.callbacks: dict[int, tuple[Callable[..., Any], tuple[Any, ...]]] = {}

    def registerCallback(self, cb: Callable[..., Any], *args: Any) -> int:
        """Call `cb` with each output of this filter, followed by `args`.

        Returns:
            The number of the connection.
        """
        connection = len(self.callbacks)
        self.callbacks[connection] = (cb, args)
        return connection

    def signalMessage(self, *msg: Any) -> None:
        """Pass an output on, in the order of registration."""
        for cb, args in list(self.callbacks.values()):
            cb(*msg, *args)
