# SPDX-License-Identifier: Apache-2.0
"""The layout of the first student, 6.4 GMAC at 352x704, to compare speeds with in one run."""

from __future__ import annotations

import hashlib

import torch

from xd_rcdepth_ros.errors import DeviceError
from xd_rcdepth_ros.inference.backends.graph import to_openvino
from xd_rcdepth_ros.inference.backends.graph_cache import GraphCache
from xd_rcdepth_ros.inference.backends.openvino import OpenVINOBackend
from xd_rcdepth_ros.network import Student, StudentConfig

LAYOUT = StudentConfig()


def earlier_layout(threads: int = 0, cached_only: bool = False) -> OpenVINOBackend:
    """Return that network in single precision by OpenVINO; its weights are random, its time not.

    Args:
        threads: CPU threads; 0 leaves the number to OpenVINO.
        cached_only: Take it from the cache or not at all: to make it takes several seconds.

    Raises:
        DeviceError: OpenVINO is not installed, or the graph not in the cache.
    """
    cache = GraphCache(hashlib.sha256(repr(LAYOUT).encode()).hexdigest())
    cached = cache.load()
    if cached is None and cached_only:
        raise DeviceError("its graph is not in the cache; a run that is not quick makes it.")
    if cached is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            graph = to_openvino(Student(LAYOUT).eval())
        cache.store(graph, {})
    else:
        graph = cached[0]
    return OpenVINOBackend(graph, "fp32", threads, grids=0)  # as it ran then
