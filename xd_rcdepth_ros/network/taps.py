# SPDX-License-Identifier: Apache-2.0
"""Taps: how a network lends out the activations that its explanations are computed from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from xd_rcdepth_ros.errors import ConfigurationError

# Called with a place's name and the activation there; the network goes on with what it returns.
Tap = Callable[[str, Tensor], Tensor]


def no_tap(name: str, activation: Tensor) -> Tensor:
    """Lend nothing."""
    return activation


class Taps:
    """Collects the activations of the places asked for.

    Where no gradient flows yet (inputs, or a frozen network), the graph starts at the first place
    asked for: everything before it is computed without memory for a backward pass.

    Args:
        names: Places whose activations are wanted.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self.activations: dict[str, Tensor] = {}

    def __call__(self, name: str, activation: Tensor) -> Tensor:
        """Note the activation if it is wanted; the network must go on with the result."""
        if name not in self._names:
            return activation
        if torch.is_grad_enabled() and not activation.requires_grad:
            activation = activation.detach().requires_grad_(True)
        self.activations[name] = activation
        return activation

    def complete(self) -> dict[str, Tensor]:
        """Return the activations by name, in the order asked for.

        Raises:
            ConfigurationError: The network has no place of a name.
        """
        missing = [name for name in self._names if name not in self.activations]
        if missing:
            raise ConfigurationError(
                f"the network has no layer {missing[0]!r} to take activations from; networks here "
                "offer image, radar, fused_32, decoder_16, decoder_8, decoder_4, decoder_2."
            )
        return {name: self.activations[name] for name in self._names}
