# SPDX-License-Identifier: Apache-2.0
"""Saliency and radar attribution, live: beside the depth's way, for who looks, within a budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from xd_rcdepth_ros.inference import DepthEstimator
from xd_rcdepth_ros.ros.assembly import Assembly
from xd_rcdepth_ros.ros.outputs import Outputs, RateLimit
from xd_rcdepth_ros.ros.parameters.configuration import NodeConfig
from xd_rcdepth_ros.ros.worker import NewestWorker

SALIENCY = ("~/saliency/image", "~/saliency/heatmap")
ATTRIBUTION = "~/radar/attribution"


class Explanations:
    """Explains a frame now and then, in a thread of its own.

    No frame is taken while nobody subscribes. Frames are taken at ``saliency.rate`` at most, and so
    seldom that explaining takes no more than ``saliency.share`` of the time: the depth, which has
    the machine to itself for the rest, loses no more than that share of its throughput.

    Args:
        config: Checked parameters; exchange it at any time.
        estimator: The loaded model.
        outputs: Publishers.
        on_error: Called with (assembly, error) if an explanation fails.
        clock: Wall clock that never goes back, seconds.
    """

    def __init__(
        self,
        config: NodeConfig,
        estimator: DepthEstimator,
        outputs: Outputs,
        on_error: Callable[[Any, Exception], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self.saliency_maps = 0
        self.radar_attributions = 0
        self._estimator, self._outputs, self._clock = estimator, outputs, clock
        self._limit = RateLimit(clock)
        self._stopping = False
        self._worker: NewestWorker[Assembly] = NewestWorker(
            "saliency", self._explain, lambda _, reason: None, on_error
        )

    def offer(self, assembly: Assembly) -> None:
        """Explain a frame, if anyone wants it and it is time for one."""
        wanted = self._outputs.wanted(*SALIENCY, ATTRIBUTION)
        if wanted and self._worker.idle and self._limit.allows(self.config.saliency_rate):
            self._worker.put(assembly)

    def stop(self) -> None:
        """Finish the map at hand and end the thread."""
        self._stopping = True
        self._worker.stop()

    def _explain(self, assembly: Assembly) -> None:
        start_s = self._clock()
        try:
            self._publish(assembly, self.config)
        finally:
            took_s = self._clock() - start_s
            self._limit.rest(took_s * (1 / self.config.saliency_share - 1))

    def _publish(self, assembly: Assembly, config: NodeConfig) -> None:
        frame, target = assembly.frame, config.saliency_target
        region = config.saliency_region if target == "region" else None
        if self._outputs.wanted(*SALIENCY):
            self.saliency_maps += 1
            heat = self._estimator.explain(frame, target, region, config.saliency_method)
            self._outputs.publish_saliency(heat, frame.image, assembly.header)
        if self._outputs.wanted(ATTRIBUTION):
            self.radar_attributions += 1
            shares = self._estimator.attribute_radar(
                frame, target, region, config.attribution_method, lambda: not self._stopping
            )
            if not self._stopping:
                self._outputs.publish_attribution(frame, shares, assembly.header)
