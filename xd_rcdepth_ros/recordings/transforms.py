# SPDX-License-Identifier: Apache-2.0
"""The transforms of a whole recording, looked up between two frames at two times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import TransformUnavailableError
from xd_rcdepth_ros.geometry import PoseTrack, RigidTransform
from xd_rcdepth_ros.recordings.schema import MAP_FRAME, ODOM_FRAME

# Odometry that stops a little before the last sensor message still serves it.
_MAX_EXTRAPOLATION_NS = 100_000_000
_HALF_WINDOW_NS = 50_000_000  # velocity: shorter ones amplify the poses' noise


class TransformTree:
    """All of /tf and /tf_static. A frame has one parent; of a frame's tracks the last wins."""

    def __init__(self) -> None:
        self._static: dict[str, tuple[str, RigidTransform]] = {}
        self._samples: dict[str, dict[int, RigidTransform]] = {}
        self._parents: dict[str, str] = {}
        self._tracks: dict[str, tuple[PoseTrack, int, int]] = {}

    def add_static(self, parent: str, child: str, parent_from_child: RigidTransform) -> None:
        """Add a transform that always holds."""
        self._static[_name(child)] = (_name(parent), parent_from_child)

    def add(
        self, parent: str, child: str, stamp_ns: int, parent_from_child: RigidTransform
    ) -> None:
        """Add a transform that holds at one stamp."""
        child = _name(child)
        self._parents[child] = _name(parent)
        self._samples.setdefault(child, {})[stamp_ns] = parent_from_child
        self._tracks.pop(child, None)

    @property
    def frames(self) -> list[str]:
        """Names of all frames, sorted."""
        parents = {parent for parent, _ in self._static.values()} | set(self._parents.values())
        return sorted(parents | set(self._static) | set(self._parents))

    def lookup(
        self,
        target: str,
        target_stamp_ns: int,
        source: str,
        source_stamp_ns: int,
        ego_motion: bool = True,
    ) -> tuple[RigidTransform, bool]:
        """Return target_from_source: from the source at its time to the target at its own.

        Args:
            target: Name of the target frame.
            target_stamp_ns: Time of the target, nanoseconds.
            source: Name of the source frame.
            source_stamp_ns: Time of the source, nanoseconds.
            ego_motion: Go through ``odom`` (else ``map``), so that the motion between the two times
                counts. Where that is not possible, or not wanted, the nearest common parent is
                used, as if the car had stood still.

        What lies below the nearest common parent is how the sensors are mounted. Where that comes
        on /tf, the last transform holds beyond its last sample (and the first before its first).

        Returns:
            The transform, and whether it includes the motion.

        Raises:
            TransformUnavailableError: The two frames are not connected.
        """
        target, source = _name(target), _name(source)
        above_target, above_source = self._ancestors(target), self._ancestors(source)
        shared = [frame for frame in above_target if frame in above_source]
        if not shared:
            raise TransformUnavailableError(
                f"frames '{target}' and '{source}' are not connected by /tf and /tf_static, which "
                f"know: {', '.join(self.frames) or 'no frame'}. Record the extrinsics, or correct "
                "the frame_id of the messages."
            )
        fixed = next((f for f in (ODOM_FRAME, MAP_FRAME) if f in shared), None)
        if ego_motion and fixed is not None:
            try:
                moved_target = self._moving_up(target, shared[0], fixed, target_stamp_ns)
                moved_source = self._moving_up(source, shared[0], fixed, source_stamp_ns)
                return moved_target.inverse() @ moved_source, True
            except TransformUnavailableError:
                pass  # no odometry at one of the times
        above_from_target = self._up(target, shared[0], target_stamp_ns, hold=True)
        above_from_source = self._up(source, shared[0], source_stamp_ns, hold=True)
        return above_from_target.inverse() @ above_from_source, False

    def velocity(self, frame: str, stamp_ns: int) -> NDArray[np.float64] | None:
        """Return a frame's own velocity (3,) over ground, in its own axes, m/s.

        Central difference over +-50 ms; None where the motion is not known.
        """
        places = []
        for shift_ns in (-_HALF_WINDOW_NS, _HALF_WINDOW_NS):
            transform, moved = self.lookup(frame, stamp_ns, frame, stamp_ns + shift_ns)
            if not moved:
                return None
            places.append(transform.translation_m)
        return np.asarray((places[1] - places[0]) / (2 * _HALF_WINDOW_NS / 1e9))

    def _moving_up(self, frame: str, carrier: str, fixed: str, stamp_ns: int) -> RigidTransform:
        """Return fixed_from_frame: the mounting on the carrier, and the carrier's motion."""
        mounting = self._up(frame, carrier, stamp_ns, hold=carrier != fixed)
        return self._up(carrier, fixed, stamp_ns) @ mounting

    def _ancestors(self, frame: str) -> list[str]:
        chain = [frame]
        while (parent := self._parent(chain[-1])) is not None:
            if parent in chain:
                raise TransformUnavailableError(
                    f"/tf has a loop: {' -> '.join([*chain, parent])}; each frame needs one parent."
                )
            chain.append(parent)
        return chain

    def _parent(self, frame: str) -> str | None:
        static = self._static.get(frame)
        return static[0] if static else self._parents.get(frame)

    def _up(self, frame: str, above: str, stamp_ns: int, hold: bool = False) -> RigidTransform:
        result = RigidTransform.identity()
        while frame != above:
            static = self._static.get(frame)
            if static is not None:
                frame, step = static
            else:
                step = self._sample(frame, stamp_ns, hold)
                frame = self._parents[frame]
            result = step @ result
        return result

    def _sample(self, frame: str, stamp_ns: int, hold: bool) -> RigidTransform:
        track, first_ns, last_ns = self._track(frame)
        at_ns = min(max(stamp_ns, first_ns), last_ns) if hold else stamp_ns
        try:
            return track.at(at_ns, _MAX_EXTRAPOLATION_NS)
        except TransformUnavailableError as error:
            raise TransformUnavailableError(
                f"/tf has '{self._parents[frame]}' to '{frame}' from {first_ns} to {last_ns} ns, "
                f"but not at {stamp_ns} ns."
            ) from error

    def _track(self, frame: str) -> tuple[PoseTrack, int, int]:
        """Return a frame's track and the stamps of its first and last sample, nanoseconds."""
        if frame not in self._tracks:
            samples = self._samples[frame]
            track = PoseTrack(list(samples), list(samples.values()))
            self._tracks[frame] = (track, min(samples), max(samples))
        return self._tracks[frame]


def _name(frame_id: str) -> str:
    return str(frame_id).lstrip("/")
