# SPDX-License-Identifier: Apache-2.0
"""depth_node as it is, but for a network that breaks or stalls where the image's stamp says so."""

from __future__ import annotations

import sys
import time

from xd_rcdepth_ros.geometry import DepthResult
from xd_rcdepth_ros.inference import DepthEstimator, NetworkInput
from xd_rcdepth_ros.nodes.depth_node import DepthNode
from xd_rcdepth_ros.ros.memory import prepare_heap
from xd_rcdepth_ros.ros.process import run_node

# The driver's stamps are whole microseconds; the nanoseconds below carry the order.
RAISE, STALL = 666, 777
STALL_S = 1.0


class FaultyEstimator(DepthEstimator):
    """A DepthEstimator that obeys marks in the stamps."""

    def infer(self, prepared: NetworkInput, output_size: str = "network") -> DepthResult:
        """Estimate depth, after raising or sleeping if the stamp is marked."""
        mark = prepared.frame.stamp_ns % 1000
        if mark == RAISE:
            raise RuntimeError("the network broke by order")
        if mark == STALL:
            time.sleep(STALL_S)
        return super().infer(prepared, output_size)


if __name__ == "__main__":
    prepare_heap()
    sys.exit(run_node("depth_node", lambda: DepthNode(FaultyEstimator)))
