# SPDX-License-Identifier: Apache-2.0
"""/diagnostics: how the node is, in words and figures that say what to do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from xd_rcdepth_ros.ros.accounting import FrameTiming, LedgerState
from xd_rcdepth_ros.ros.inputs import InputState
from xd_rcdepth_ros.ros.sync.core import SyncCounts

OK, WARN, ERROR, STALE = (
    DiagnosticStatus.OK,
    DiagnosticStatus.WARN,
    DiagnosticStatus.ERROR,
    DiagnosticStatus.STALE,
)


def status(
    node: str, part: str, level: bytes, message: str, values: Mapping[str, Any]
) -> DiagnosticStatus:
    """Return one status.

    Args:
        node: Full name of the node; it is the hardware id too.
        part: What the status is about.
        level: OK, WARN, ERROR or STALE.
        message: One line for people.
        values: Figures by name.
    """
    pairs = [KeyValue(key=key, value=_text(value)) for key, value in values.items()]
    name = f"{node.lstrip('/')}: {part}"
    return DiagnosticStatus(
        level=level, name=name, message=message, hardware_id=node.lstrip("/"), values=pairs
    )


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.3f}"
    return str(value)


def array(stamp: Any, statuses: Iterable[DiagnosticStatus]) -> DiagnosticArray:
    """Return the message for /diagnostics."""
    message = DiagnosticArray(status=list(statuses))
    message.header.stamp = stamp
    return message


def input_status(node: str, state: InputState, now_s: float, timeout_s: float) -> DiagnosticStatus:
    """Return the status of one input topic."""
    silent_s = state.silent_s(now_s)
    values = {
        "topic": state.topic,
        "type": state.type_name,
        "received": state.received,
        "rate_hz": state.arrivals_s.rate_hz(now_s),
        "silent_s": silent_s,
        "incompatible_qos": ", ".join(sorted(state.incompatible)),
    }
    level, text = OK, "messages arrive"
    if silent_s >= timeout_s:
        level = STALE if state.received else ERROR
        text = f"no data for {silent_s:.1f} s on {state.topic}"
        if state.incompatible:
            text += f"; incompatible QoS policy {values['incompatible_qos']}"
        text += ": check the source, the topic name and its QoS"
    elif state.incompatible:
        level = WARN
        text = f"a publisher's QoS does not fit by policy {values['incompatible_qos']}"
    return status(node, f"input {state.name}", level, text, values)


def complaints_status(node: str, recent: Sequence[tuple[str, str]]) -> DiagnosticStatus:
    """Return the status of what was complained of lately: each text names a cause and a remedy.

    Args:
        node: Full name of the node.
        recent: Level (``warning`` or ``error``) and text of each, newest first.
    """
    values = {f"{level}_{number}": text for number, (level, text) in enumerate(recent, 1)}
    if not recent:
        return status(node, "complaints", OK, "nothing to complain of", values)
    worst = ERROR if any(level == "error" for level, _ in recent) else WARN
    return status(node, "complaints", worst, recent[0][1], values)


class SinceLast:
    """Turns running totals into what was added since the last call: levels speak of now."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def __call__(self, totals: Mapping[str, int]) -> dict[str, int]:
        """Return what was added to each counter, without those that stand still."""
        added = {name: n - self._last.get(name, 0) for name, n in totals.items()}
        self._last = dict(totals)
        return {name: n for name, n in added.items() if n > 0}


def frames_status(
    node: str,
    ledger: LedgerState,
    recent_drops: Mapping[str, int],
    timing: FrameTiming,
    now_s: float,
) -> DiagnosticStatus:
    """Return the status of the frames: where they went and how long they took."""
    dropped = sum(ledger.drops.values())
    values: dict[str, Any] = {
        "frames_in": ledger.frames_in,
        "frames_out": ledger.frames_out,
        "frames_dropped": dropped,
        "in_flight": ledger.in_flight,
        "rate_hz": timing.published_s.rate_hz(now_s),
        "latency_p50_ms": timing.latency_ms.percentile(50),
        "latency_p95_ms": timing.latency_ms.percentile(95),
        "age_p50_ms": timing.age_ms.percentile(50),
        "age_p95_ms": timing.age_ms.percentile(95),
    }
    values |= {f"stage_{name}_p50_ms": r.percentile(50) for name, r in timing.stages_ms.items()}
    values |= {f"dropped_{reason}": count for reason, count in sorted(ledger.drops.items())}
    values |= dict(sorted(ledger.events.items()))
    level, text = OK, f"{ledger.frames_out} of {ledger.frames_in} images became depth"
    broken = {r: n for r, n in recent_drops.items() if r not in ("newer_frame", "deactivated")}
    if broken:
        worst = max(broken, key=lambda reason: broken[reason])
        level = WARN if ledger.frames_out else ERROR
        text = f"{text}; now most others are lost by {worst}"
    return status(node, "frames", level, text, values)


def synchronisation_status(node: str, counts: SyncCounts) -> DiagnosticStatus:
    """Return the status of the synchronisation."""
    hit_rate = counts.complete / counts.matched if counts.matched else math.nan
    values: dict[str, Any] = {
        "images": counts.images_in,
        "matched": counts.matched,
        "hit_rate": hit_rate,
        "resets": counts.resets,
    }
    for radar, number in sorted(counts.sweeps_in.items()):
        values[f"{radar}_sweeps"] = number
        values[f"{radar}_sweeps_used"] = counts.sweeps_used[radar]
    for (radar, reason), number in sorted(counts.sweeps_unused.items()):
        values[f"{radar}_sweeps_{reason}"] = number
    if counts.matched > 5 and hit_rate < 0.5:
        text = (
            f"only {100 * hit_rate:.0f} % of the images found radar within sync.window: check the "
            "radar's rate and its clock, or widen the window"
        )
        return status(node, "synchronisation", WARN, text, values)
    return status(node, "synchronisation", OK, "images and radar come together", values)


def transforms_status(
    node: str, counts: Mapping[str, int], recent: Mapping[str, int], fixed_frame: str
) -> DiagnosticStatus:
    """Return the status of the transforms."""
    values = {"fixed_frame": fixed_frame, **counts}
    missing, static = recent.get("missing", 0), recent.get("static_extrinsics", 0)
    level, text = OK, "sweeps move to the image's time"
    if static and not fixed_frame:
        text = "static extrinsics by wish: fixed_frame is empty"
    elif static:
        level = WARN
        text = f"{static} sweeps used static extrinsics: no odometry through '{fixed_frame}'"
    if missing:
        level = ERROR
        text = f"{missing} sweeps had no transform to the camera: publish it on /tf_static"
    return status(node, "transforms", level, text, values)


def model_status(
    node: str, state: str, problem: str, info: Mapping[str, Any], effort: Mapping[str, int]
) -> DiagnosticStatus:
    """Return the status of the model: what runs, on what, and how often it was explained."""
    values = {"state": state, **info, **effort}
    if problem:
        return status(node, "model", ERROR, problem, values)
    if not info:
        return status(node, "model", STALE, f"node is {state}: no model loaded", values)
    text = f"{info.get('model')} on {info.get('device')} by {info.get('backend')}"
    return status(node, "model", OK, text, values)
