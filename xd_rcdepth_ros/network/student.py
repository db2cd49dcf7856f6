# SPDX-License-Identifier: Apache-2.0
"""The XD-RCDepth student: two MobileNetV2 encoders, FiLM at five scales, point-wise DASPP decoder.

What is public of the architecture: both encoders, one FiLM block at each of five scales, DASPP
blocks made point-wise, about 8.89 M parameters (29.7 % fewer than LiRCDepth). Decoder widths, the
place of DASPP and the head are this project's own choices.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.network.daspp import PointwiseDASPP, pointwise_conv, separable_conv
from xd_rcdepth_ros.network.encoders import IMAGENET_MEAN, IMAGENET_STD
from xd_rcdepth_ros.network.film import FiLM
from xd_rcdepth_ros.network.mobilenet import TAP_CHANNELS, MobileNetV2Encoder
from xd_rcdepth_ros.network.prediction import head_channels, predict
from xd_rcdepth_ros.network.raster_pooling import halve_raster
from xd_rcdepth_ros.network.taps import Tap, Taps, no_tap

STRIDE = 32


@dataclass(frozen=True)
class StudentConfig:
    """What defines a student.

    Attributes:
        max_depth_m: Depth at the upper end of the sigmoid, metres.
        radar_channels: Channels of the radar raster; 4: depth, RCS, vx, vy.
        radar_scale: Factor for each radar channel before the network.
        film_pooled: FiLM from pooled instead of spatial radar features.
        decoder_channels: Widths at strides 16, 8, 4, 2.
        daspp_growth: Channels that each DASPP branch adds.
        daspp_dilations: Dilations of the DASPP branches.
        daspp_stride: Where DASPP stands: 8 or 16.
        radar_stride: 2 runs the radar encoder on a raster of half the resolution; 1 on all of it.
        reduce_first: The decoder reduces its channels before it doubles the resolution.
        error_and_sky: The head says the error's scale and the sky besides depth.
    """

    max_depth_m: float = 100.0
    radar_channels: int = 4
    radar_scale: tuple[float, ...] = (1 / 50, 1 / 50, 1 / 10, 1 / 10)
    film_pooled: bool = False
    decoder_channels: tuple[int, ...] = (384, 128, 64, 32)
    daspp_growth: int = 64
    daspp_dilations: tuple[int, ...] = (3, 6, 12, 18, 24)
    daspp_stride: int = 8
    radar_stride: int = 1
    reduce_first: bool = False
    error_and_sky: bool = False


class UpBlock(nn.Module):
    """Nearest x2, separable convolution, concatenation with the skip, separable convolution.

    Args:
        inputs: Channels of the coarse map.
        skip: Channels of the finer map.
        outputs: Channels of the result.
        reduce_first: A 1x1 convolution at the coarse resolution replaces the first separable one.
    """

    def __init__(self, inputs: int, skip: int, outputs: int, reduce_first: bool = False) -> None:
        super().__init__()
        self.reduce_first = reduce_first
        reduce = pointwise_conv if reduce_first else separable_conv
        self.reduce = reduce(inputs, outputs)
        self.fuse = separable_conv(outputs + skip, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Map (B, inputs, H, W) and (B, skip, 2H, 2W) to (B, outputs, 2H, 2W)."""
        if self.reduce_first:
            x = functional.interpolate(self.reduce(x), scale_factor=2.0, mode="nearest")
        else:
            x = self.reduce(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        fused: Tensor = self.fuse(torch.cat([x, skip], dim=1))
        return fused


class Student(nn.Module):
    """Metric depth from an image and a radar raster.

    Physical units go in and come out: normalisation is part of the network.

    Args:
        config: Architecture; saved with the weights.
    """

    image_mean: Tensor
    image_std: Tensor
    radar_scale: Tensor

    def __init__(self, config: StudentConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or StudentConfig()
        _check_layout(config)
        # Constants of the graph, not weights: they follow the device but are not saved.
        for name, values in (
            ("image_mean", IMAGENET_MEAN),
            ("image_std", IMAGENET_STD),
            ("radar_scale", config.radar_scale),
        ):
            self.register_buffer(name, torch.tensor(values).view(1, -1, 1, 1), persistent=False)
        self.image_encoder = MobileNetV2Encoder()
        self.radar_stem = nn.Sequential(
            nn.Conv2d(config.radar_channels, 3, 3, 1, 1, bias=False), nn.ReLU()
        )
        self.radar_encoder = MobileNetV2Encoder()
        coarse = config.radar_stride == 2
        self.fusions = nn.ModuleList(FiLM(c, c, config.film_pooled, coarse) for c in TAP_CHANNELS)
        skips = TAP_CHANNELS[-2::-1]  # strides 16, 8, 4, 2
        inputs = (TAP_CHANNELS[-1], *config.decoder_channels[:-1])
        self.ups = nn.ModuleList(
            UpBlock(i, s, o, config.reduce_first)
            for i, s, o in zip(inputs, skips, config.decoder_channels, strict=True)
        )
        self.daspp = PointwiseDASPP(
            config.decoder_channels[0 if config.daspp_stride == 16 else 1],
            config.daspp_growth,
            config.daspp_dilations,
        )
        self.head = nn.Conv2d(
            config.decoder_channels[-1], head_channels(config.error_and_sky), 3, 1, 1
        )

    def forward(self, image: Tensor, radar: Tensor) -> Tensor:
        """Estimate depth.

        Args:
            image: (B, 3, H, W) float in [0, 1], RGB; H and W multiples of 32.
            radar: (B, C, H, W) float raster: depth m, RCS dBsm, vx m/s, vy m/s; 0 where none.

        Returns:
            (B, 1 or 3, H, W) float: depth, metres along the optical axis, in (0, max_depth_m); with
            ``error_and_sky`` also the expected error as a share of it, and the probability of sky.
        """
        return self.decode(*self.encode(image, radar))

    def forward_taps(
        self, image: Tensor, radar: Tensor, layers: tuple[str, ...] = ("decoder_8",)
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Estimate depth and lend out activations.

        Args:
            image: As for :meth:`forward`.
            radar: As for :meth:`forward`.
            layers: Any of image, radar, fused_32, decoder_16, decoder_8, decoder_4, decoder_2;
                the number is the stride; with ``error_and_sky`` also log_error and sky_logit.

        Returns:
            Depth (B, 1, H, W), metres, and the activations by name, each in its graph.
        """
        taps = Taps(layers)
        output = self.decode(*self.encode(image, radar, taps), taps)
        return output[:, :1], taps.complete()

    def encode(
        self, image: Tensor, radar: Tensor, tap: Tap = no_tap
    ) -> tuple[Tensor, list[Tensor]]:
        """Run the network up to stride 8, DASPP included: the place of its saliency maps.

        Returns:
            The map (B, decoder_channels[1], H/8, W/8), and the fused maps at strides 4 and 2 that
            :meth:`decode` needs besides.
        """
        x, *skips = reversed(self.fuse(tap("image", image), tap("radar", radar)))
        at_16 = self.config.daspp_stride == 16
        x = self.ups[0](tap("fused_32", x), skips[0])
        x = tap("decoder_16", self.daspp(x) if at_16 else x)
        x = self.ups[1](x, skips[1])
        x = tap("decoder_8", x if at_16 else self.daspp(x))
        return x, skips[2:]

    def decode(self, x: Tensor, skips: list[Tensor], tap: Tap = no_tap) -> Tensor:
        """Return what :meth:`forward` does, from what :meth:`encode` returned."""
        for name, up, skip in zip(("decoder_4", "decoder_2"), self.ups[2:], skips, strict=True):
            x = tap(name, up(x, skip))
        return predict(self.head(x), self.config.max_depth_m, tap, upscale=2.0)

    def fuse(self, image: Tensor, radar: Tensor) -> list[Tensor]:
        """Return the five fused maps, finest first, of an image and a radar raster.

        With ``radar_stride`` 2 the raster may have been halved already.
        """
        if self.config.radar_stride == 2 and radar.shape[-2:] == image.shape[-2:]:
            radar = halve_raster(radar)
        radar = self.radar_stem(radar * self.radar_scale)
        image = (image - self.image_mean) / self.image_std
        pairs = zip(self.image_encoder(image), self.radar_encoder(radar), strict=True)
        return [film(i, r) for film, (i, r) in zip(self.fusions, pairs, strict=True)]


def _check_layout(config: StudentConfig) -> None:
    """Raise ConfigurationError if a place or a resolution is not among those offered."""
    for name, allowed in (("daspp_stride", (8, 16)), ("radar_stride", (1, 2))):
        value = getattr(config, name)
        if value not in allowed:
            raise ConfigurationError(f"student: {name} is {value!r}; expected one of {allowed}.")
