# SPDX-License-Identifier: Apache-2.0
"""Feature-wise linear modulation (FiLM, Perez et al., AAAI 2018): radar modulates the image.

fused = (1 + gamma(radar)) * image + beta(radar), with gamma and beta from 1x1 convolutions.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class FiLM(nn.Module):
    """One fusion block.

    The public description is contradictory about whether gamma and beta are one value a channel
    (``pooled``) or one a channel and place (``spatial``). Both are offered; ``spatial`` is this
    project's own choice, since pooled radar cannot say where in the image a depth belongs.

    Args:
        image_channels: Channels of the image feature.
        radar_channels: Channels of the radar feature.
        pooled: Average the radar feature over the image first.
        coarse: The radar feature has half the image feature's height and width, rounded up.
    """

    def __init__(
        self, image_channels: int, radar_channels: int, pooled: bool = False, coarse: bool = False
    ) -> None:
        super().__init__()
        self.pooled, self.coarse = pooled, coarse
        self.gamma = nn.Conv2d(radar_channels, image_channels, 1)
        self.beta = nn.Conv2d(radar_channels, image_channels, 1)
        # Zeros make the fused feature equal the image feature before training.
        for layer in (self.gamma, self.beta):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, image: Tensor, radar: Tensor) -> Tensor:
        """Fuse features (B, C_image, H, W) and (B, C_radar, H, W) to (B, C_image, H, W).

        If ``coarse``, the radar feature is (B, C_radar, ceil(H/2), ceil(W/2)).
        """
        if self.pooled:
            radar = radar.mean(dim=(2, 3), keepdim=True)
        gamma, beta = self.gamma(radar), self.beta(radar)
        if self.coarse and not self.pooled:
            size = image.shape[-2:]
            gamma = functional.interpolate(gamma, size=size, mode="nearest")
            beta = functional.interpolate(beta, size=size, mode="nearest")
        fused: Tensor = (1 + gamma) * image + beta
        return fused
