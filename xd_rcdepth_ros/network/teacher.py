# SPDX-License-Identifier: Apache-2.0
"""The teacher: CaFNet (confidence-aware radar-camera fusion, IROS 2024).

Stage 1 spreads the radar's returns (sparse convolutions), and says coarse depth and confidence at
each pixel. Stage 2 encodes the trusted coarse depth with the radar and adds it, gated and weighted
by confidence, to the image's features at five scales; a BTS-style decoder with local planar
guidance gives depth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.network.encoders import ENCODERS, EncoderKind
from xd_rcdepth_ros.network.local_planar_guidance import LocalPlanarGuidance, PointwiseChain
from xd_rcdepth_ros.network.planar_decoder import DenseASPP, UpConvolution, conv_elu, norm
from xd_rcdepth_ros.network.prediction import HEAD_LAYERS, head_channels, predict
from xd_rcdepth_ros.network.radar_confidence import ConfidenceFusion, RadarConfidence
from xd_rcdepth_ros.network.taps import Tap, Taps, no_tap


@dataclass(frozen=True)
class TeacherConfig:
    """What defines a teacher; the defaults are CaFNet as published.

    Attributes:
        image_encoder: Encoder of the image: a key of ``ENCODERS``.
        radar_encoder: Encoder of the radar in both stages: a key of ``ENCODERS``.
        max_depth_m: Depth at the upper end of the sigmoids, metres.
        radar_channels: Channels of the radar raster; 4: depth, RCS, vx, vy.
        radar_scale: Factor for each radar channel before the network.
        confidence_threshold: Coarse depth is passed on where confidence exceeds this.
        confidence_channels: Widths of the stage 1 decoder at strides 16, 8, 4, 2, 1.
        decoder_width: Width of the decoder at stride 16; halved on the way up. A multiple of 64.
        error_and_sky: The head says the error's scale and the sky besides depth.
    """

    image_encoder: str = "resnet34"
    radar_encoder: str = "resnet18"
    max_depth_m: float = 100.0
    radar_channels: int = 4
    radar_scale: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    confidence_threshold: float = 0.4
    confidence_channels: tuple[int, ...] = (256, 128, 64, 32, 32)
    decoder_width: int = 512
    error_and_sky: bool = False


class TeacherOutput(NamedTuple):
    """What the teacher says, each (B, 1, H, W), single precision.

    Attributes:
        depth_m: Depth, metres along the optical axis.
        coarse_m: Depth of stage 1, metres.
        confidence_logit: Logit of the confidence in ``coarse_m``.
        log_error: Logarithm of the error's scale as a share of ``depth_m``; None without that.
        sky_logit: Logit of sky or nothing within range; None without that.
    """

    depth_m: Tensor
    coarse_m: Tensor
    confidence_logit: Tensor
    log_error: Tensor | None = None
    sky_logit: Tensor | None = None


class _Encoded(NamedTuple):
    """What the finer half of the decoder needs besides the feature at stride 8."""

    image: list[Tensor]
    radar: list[Tensor]
    confidence: Tensor
    coarse_m: Tensor
    confidence_logit: Tensor


class Teacher(nn.Module):
    """Metric depth from an image and a radar raster, with a confidence in the radar.

    Physical units go in and come out: normalisation is part of the network.

    Args:
        config: Architecture; saved with the weights.
    """

    image_mean: Tensor
    image_std: Tensor
    radar_scale: Tensor

    def __init__(self, config: TeacherConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or TeacherConfig()
        image, radar = _encoder(config.image_encoder), _encoder(config.radar_encoder)
        for name, values in (
            ("image_mean", image.mean),
            ("image_std", image.std),
            ("radar_scale", config.radar_scale),
        ):
            self.register_buffer(name, torch.tensor(values).view(1, -1, 1, 1), persistent=False)
        self.image_encoder = image.make()
        self.stage1 = RadarConfidence(
            config.radar_channels, radar, image.channels, config.confidence_channels
        )
        self.radar_stem = nn.Sequential(
            nn.Conv2d(config.radar_channels + 1, 3, 3, 1, 1, bias=False), nn.ELU()
        )
        self.radar_encoder = radar.make()
        w, skips = config.decoder_width, image.channels
        fused = (w // 8, w // 4, w // 4, w, skips[4])  # widths where radar is added, finest first
        self.fusions = nn.ModuleList(
            ConfidenceFusion(r, c, 2**k)
            for k, (r, c) in enumerate(zip(radar.channels, fused, strict=True), 1)
        )
        self.up16, self.fuse16 = UpConvolution(skips[4], w), conv_elu(w + skips[3], w)
        self.up8, self.fuse8 = UpConvolution(w, w // 2), conv_elu(w // 2 + skips[2], w // 2)
        self.norm8 = norm(w // 2)
        self.daspp = DenseASPP(w // 2, w // 2 + skips[2], w // 4)
        self.plane8 = LocalPlanarGuidance(w // 4, w // 4, 8)
        self.up4, self.fuse4 = (
            UpConvolution(w // 4, w // 4),
            conv_elu(w // 4 + skips[1] + 1, w // 4),
        )
        self.plane4 = LocalPlanarGuidance(w // 4, w // 8, 4)
        self.up2, self.fuse2 = (
            UpConvolution(w // 4, w // 8),
            conv_elu(w // 8 + skips[0] + 1, w // 8),
        )
        self.plane2 = LocalPlanarGuidance(w // 8, w // 16, 2)
        self.up1 = UpConvolution(w // 8, w // 16, normalise=False)
        self.plane1 = PointwiseChain(w // 16, w // 32, 1)
        self.fuse1 = conv_elu(w // 16 + 4, w // 16)
        self.head = nn.Conv2d(w // 16, head_channels(config.error_and_sky), 3, 1, 1, bias=False)

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

    def predict(self, image: Tensor, radar: Tensor) -> TeacherOutput:
        """Return depth with stage 1's coarse depth and confidence, for training."""
        taps = Taps(HEAD_LAYERS if self.config.error_and_sky else ())
        x, encoded = self.encode(image, radar)
        depth = self.decode(x, encoded, taps)[:, :1]
        head = taps.complete()
        return TeacherOutput(depth, encoded.coarse_m, encoded.confidence_logit, **head)

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

    def encode(self, image: Tensor, radar: Tensor, tap: Tap = no_tap) -> tuple[Tensor, _Encoded]:
        """Run the network up to the fused DASPP output: the place of its saliency maps.

        Returns:
            That feature (B, decoder_width / 4, H/8, W/8), and what :meth:`decode` needs besides.
        """
        image, radar = tap("image", image), tap("radar", radar) * self.radar_scale
        images = self.image_encoder((image - self.image_mean) / self.image_std)
        coarse, logit = self.stage1(radar, images)
        confidence = torch.sigmoid(logit)
        trusted = coarse * (confidence > self.config.confidence_threshold)
        # In the raster's own unit, so that the stem sees one scale of depth.
        trusted = trusted * self.config.max_depth_m * self.radar_scale[:, :1]
        radars = self.radar_encoder(self.radar_stem(torch.cat([trusted, radar], dim=1)))
        encoded = _Encoded(images, radars, confidence, coarse * self.config.max_depth_m, logit)
        x = tap("fused_32", self._add_radar(5, functional.relu(images[4]), encoded))
        x = self.fuse16(torch.cat([self.up16(x), images[3]], dim=1))
        x = tap("decoder_16", self._add_radar(4, x, encoded))
        context = torch.cat([self.up8(x), images[2]], dim=1)
        x = self.daspp(self.norm8(self.fuse8(context)), context)
        return tap("decoder_8", self._add_radar(3, x, encoded)), encoded

    def decode(self, x: Tensor, encoded: _Encoded, tap: Tap = no_tap) -> Tensor:
        """Return what :meth:`forward` does, from what :meth:`encode` returned."""
        images = encoded.image
        plane8 = self.plane8(x)
        x = self.fuse4(torch.cat([self.up4(x), images[1], _shrink(plane8, 4)], dim=1))
        x = tap("decoder_4", self._add_radar(2, x, encoded))
        plane4 = self.plane4(x)
        x = self.fuse2(torch.cat([self.up2(x), images[0], _shrink(plane4, 2)], dim=1))
        x = tap("decoder_2", self._add_radar(1, x, encoded))
        plane2 = self.plane2(x)
        x = self.up1(x)
        plane1 = torch.sigmoid(self.plane1(x).float())
        x = self.fuse1(torch.cat([x, plane1, plane2, plane4, plane8], dim=1))
        return predict(self.head(x), self.config.max_depth_m, tap)

    def _add_radar(self, level: int, x: Tensor, encoded: _Encoded) -> Tensor:
        fused: Tensor = self.fusions[level - 1](x, encoded.radar[level - 1], encoded.confidence)
        return fused


def _shrink(depth: Tensor, stride: int) -> Tensor:
    """Take every ``stride``-th row and column: nearest down-sampling."""
    return depth[:, :, ::stride, ::stride]


def _encoder(name: str) -> EncoderKind:
    if name not in ENCODERS:
        raise ConfigurationError(f"encoder is {name!r}; expected one of {sorted(ENCODERS)}.")
    return ENCODERS[name]
