# SPDX-License-Identifier: Apache-2.0
"""What a network computes, and what this machine can: the two sides of a roofline."""

from __future__ import annotations

import copy
import time
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from xd_rcdepth_ros.inference.backends.graph import import_openvino
from xd_rcdepth_ros.inference.backends.openvino import compile_model, computes_in

HEIGHT, WIDTH = 352, 704
_PEAK_SIZE = 2048  # of the square matrices whose product takes the machine to its peak


def count_gmac(model: nn.Module, height: int = HEIGHT, width: int = WIDTH) -> float:
    """Return the multiply-accumulate operations of one image, in thousand millions."""
    # Shapes alone decide the count: on the meta device nothing is computed.
    model = copy.deepcopy(model).eval().to("meta")
    inputs = [torch.zeros(1, channels, height, width, device="meta") for channels in (3, 4)]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(*inputs)
    operations: int = counter.get_total_flops()
    return operations / 2e9  # one multiply-accumulate counts as two operations


def peak_gflops(precision: str, seconds: float = 1.0, threads: int = 0) -> float | None:
    """Return what this CPU reaches in a large matrix product by OpenVINO.

    Args:
        precision: ``fp32`` or ``bf16``.
        seconds: Time to measure for; the fastest product counts.
        threads: CPU threads; 0 leaves the number to OpenVINO.

    Returns:
        Thousand million operations a second; None if the CPU does not compute in that precision.
    """
    if not computes_in(precision):
        return None
    openvino = import_openvino()
    ops = openvino.opset13
    n = _PEAK_SIZE
    weights = np.random.default_rng(0).standard_normal((n, n)).astype(np.float32)
    left = ops.parameter([n, n], np.float32)
    product = ops.matmul(left, ops.constant(weights), False, False)
    # One number comes out: to copy the product would take longer than to make it in bf16.
    best = ops.reduce_max(product, ops.constant(np.array([0, 1])), False)
    request = compile_model(openvino.Model([best], [left]), precision, threads)
    request = request.create_infer_request()
    fastest_s, end_s = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < end_s or not np.isfinite(fastest_s):
        start_s = time.perf_counter()
        request.infer([weights], share_inputs=True)
        fastest_s = min(fastest_s, time.perf_counter() - start_s)
    return 2e-9 * n**3 / float(fastest_s)


def roofline(peaks: dict[str, float], gmac: float, medians_ms: dict[str, float]) -> dict[str, Any]:
    """Return how near a network comes to what the machine can.

    Args:
        peaks: Peak by precision, thousand million operations a second.
        gmac: Multiply-accumulate operations of the network, in thousand millions.
        medians_ms: Its time by precision.

    Returns:
        Peaks, what was achieved, and the fraction of the fastest precision that has a peak.
    """
    achieved = {p: 2 * gmac / (ms / 1000) for p, ms in medians_ms.items()}
    fastest = min((p for p in medians_ms if p in peaks), key=medians_ms.__getitem__, default=None)
    return {
        "peak_gflops": peaks,
        "gmac": gmac,
        "achieved_gflops": achieved,
        "precision": fastest,
        "fraction": None if fastest is None else achieved[fastest] / peaks[fastest],
    }
