# SPDX-License-Identifier: Apache-2.0
"""A tree of coordinate frames over time, and the transforms between any two of them."""

import math
from collections.abc import Callable
from threading import Lock
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.logging import get_logger
from tf2_py.exceptions import (
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TransformException,
)
from tf2_py.rigid import IDENTITY, Rigid, compose, inverse, normalized
from tf2_py.time_cache import Sample, StaticCache, TimeCache, seconds

_LOGGER = get_logger("tf2")  # one instance: it remembers what it throttles
_DEFAULT_CACHE_NS = 10 * 10**9
_NO_ROTATION = 1e-12  # a quaternion of this square length or less has no direction


def _nanoseconds(value: Any) -> int:
    """Read a time or duration, of rclpy or a message, as integer nanoseconds."""
    if hasattr(value, "nanoseconds"):
        return int(value.nanoseconds)
    if hasattr(value, "sec") and hasattr(value, "nanosec"):
        return int(value.sec) * 10**9 + int(value.nanosec)
    raise TypeError(f"a time must have sec and nanosec, or nanoseconds; got {type(value).__name__}")


class BufferCore:
    """Stores transforms and answers questions about them; safe to use from several threads.

    Args:
        cache_time: how far back moving frames are remembered (a Duration); 10 s if not given.
    """

    def __init__(self, cache_time: Any = None) -> None:
        self._cache_ns = _DEFAULT_CACHE_NS if cache_time is None else _nanoseconds(cache_time)
        self._lock = Lock()
        self._frames: set[str] = set()
        self._caches: dict[str, TimeCache | StaticCache] = {}

    # Filling the tree ------------------------------------------------------------------------

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Add the pose of a moving frame; a malformed one is refused and logged.

        Args:
            transform: pose of child_frame_id in header.frame_id at header.stamp.
            authority: who says so.
        """
        self._insert(transform, authority, is_static=False)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Add the pose of a frame that does not move; its stamp is not looked at."""
        self._insert(transform, authority, is_static=True)

    def clear(self) -> None:
        """Drop the poses of all moving frames; static ones and the frame names stay."""
        with self._lock:
            for cache in self._caches.values():
                cache.clear()

    def _insert(self, message: TransformStamped, authority: str, is_static: bool) -> None:
        parent = message.header.frame_id.removeprefix("/")
        child = message.child_frame_id.removeprefix("/")
        t, r = message.transform.translation, message.transform.rotation
        transform = Rigid((t.x, t.y, t.z), (r.x, r.y, r.z, r.w))
        problem = _problem(parent, child, transform)
        if problem:
            _LOGGER.error(
                f'{problem} (child frame "{child}", parent frame "{parent}", '
                f'authority "{authority}")',
                throttle_duration_sec=1.0,
            )
            return
        transform = Rigid(transform.translation, normalized(transform.rotation))
        sample = Sample(_nanoseconds(message.header.stamp), parent, transform)
        with self._lock:
            cache = self._caches.get(child)
            if cache is None or cache.is_static != is_static:
                cache = StaticCache() if is_static else TimeCache(self._cache_ns)
                self._caches[child] = cache
            self._frames |= {child, parent}
            accepted = cache.insert(sample)
        if not accepted:
            _LOGGER.warning(
                f'TF_OLD_DATA ignoring data from the past for frame "{child}" at time '
                f'{seconds(sample.stamp_ns)} according to authority "{authority}"',
                throttle_duration_sec=1.0,
            )

    # Asking ----------------------------------------------------------------------------------

    def lookup_transform_core(
        self, target_frame: str, source_frame: str, time: Any
    ) -> TransformStamped:
        """Return the transform that takes data from the source frame to the target frame.

        Args:
            target_frame: the frame to express data in.
            source_frame: the frame the data is in.
            time: when; zero asks for the newest time at which all links are known.

        Raises:
            LookupException: a frame is not known.
            ConnectivityException: the frames are in different trees.
            ExtrapolationException: the time is outside the stored data.
            InvalidArgumentException: a frame name is empty or starts with a slash.
        """
        with self._lock:
            transform, stamp_ns = self._lookup(target_frame, source_frame, _nanoseconds(time))
        return _message(target_frame, source_frame, transform, stamp_ns)

    def lookup_transform_full_core(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
    ) -> TransformStamped:
        """Return the transform from the source frame at one time to the target frame at another.

        Args:
            target_frame: the frame to express data in.
            target_time: the time at which the target frame is meant.
            source_frame: the frame the data is in.
            source_time: the time at which the data was taken.
            fixed_frame: a frame that is taken not to move between the two times.

        Raises:
            TransformException: as for `lookup_transform_core`.
        """
        with self._lock:
            for role, frame in (
                ("target_frame", target_frame),
                ("source_frame", source_frame),
                ("fixed_frame", fixed_frame),
            ):
                self._require(role, frame)
            to_fixed, _ = self._lookup(fixed_frame, source_frame, _nanoseconds(source_time))
            to_target, stamp_ns = self._lookup(target_frame, fixed_frame, _nanoseconds(target_time))
        return _message(target_frame, source_frame, compose(to_target, to_fixed), stamp_ns)

    def can_transform_core(
        self, target_frame: str, source_frame: str, time: Any
    ) -> tuple[bool, str]:
        """Tell whether a look-up would succeed, and if not, why."""
        try:
            self.lookup_transform_core(target_frame, source_frame, time)
        except TransformException as error:
            return False, str(error)
        return True, ""

    # Walking the tree; the caller holds the lock ----------------------------------------------

    def _require(self, role: str, frame: str) -> None:
        where = f"lookupTransform argument {role}"
        if not frame or frame.startswith("/"):
            fault = "cannot start with a '/'" if frame else "cannot be empty"
            raise InvalidArgumentException(
                f'Invalid argument "{frame}" passed to {where} - in tf2 frame_ids {fault}'
            )
        if frame not in self._frames:
            raise LookupException(f'"{frame}" passed to {where} does not exist. ')

    def _lookup(self, target: str, source: str, stamp_ns: int) -> tuple[Rigid, int]:
        self._require("target_frame", target)
        self._require("source_frame", source)
        if target == source:
            cache = self._caches.get(target)
            newest = cache.newest() if cache else None
            return IDENTITY, stamp_ns or (newest.stamp_ns if newest else 0)
        if stamp_ns == 0:
            stamp_ns = self._latest_common_ns(target, source)

        def pose(cache: TimeCache | StaticCache) -> Sample | None:
            return cache.at(stamp_ns) if stamp_ns else cache.newest()

        up_from_target, up_from_source = self._links(target, source, pose)
        return compose(inverse(_chain(up_from_target)), _chain(up_from_source)), stamp_ns

    def _latest_common_ns(self, target: str, source: str) -> int:
        up_from_target, up_from_source = self._links(target, source, lambda cache: cache.newest())
        stamps = [sample.stamp_ns for sample in up_from_target + up_from_source]
        return min((stamp for stamp in stamps if stamp), default=0)

    def _links(
        self,
        target: str,
        source: str,
        pose: Callable[[TimeCache | StaticCache], Sample | None],
    ) -> tuple[list[Sample], list[Sample]]:
        """Return the links from each of two frames up to their nearest common ancestor."""
        frames, from_source, source_error = self._climb(source, pose, stop_at=[target])
        if frames[-1] == target:
            return [], from_source
        above, from_target, target_error = self._climb(target, pose, stop_at=frames)
        if above[-1] in frames:
            return from_target, from_source[: frames.index(above[-1])]
        error = target_error or source_error
        if error is not None:
            raise ExtrapolationException(
                f"{error}, when looking up transform from frame [{source}] to frame [{target}]"
            )
        raise ConnectivityException(
            f"Could not find a connection between '{target}' and '{source}' because they are "
            "not part of the same tree. Tf has two or more unconnected trees."
        )

    def _climb(
        self,
        frame: str,
        pose: Callable[[TimeCache | StaticCache], Sample | None],
        stop_at: list[str],
    ) -> tuple[list[str], list[Sample], ExtrapolationException | None]:
        """Follow parents until one of `stop_at`, the root, or a link without data at that time."""
        frames: list[str] = [frame]
        links: list[Sample] = []
        while frame not in stop_at:
            cache = self._caches.get(frame)
            try:
                sample = pose(cache) if cache is not None else None
            except ExtrapolationException as error:
                return frames, links, error
            if sample is None:
                break
            frame = sample.parent
            if frame in frames:
                raise LookupException(
                    "The tf tree is invalid because it contains a loop: "
                    + " -> ".join([*frames, frame])
                )
            frames.append(frame)
            links.append(sample)
        return frames, links, None


def _problem(parent: str, child: str, transform: Rigid) -> str:
    """Return what is wrong with a transform; empty if nothing is."""
    if not child:
        return "TF_NO_CHILD_FRAME_ID: Ignoring transform because child_frame_id not set"
    if not parent:
        return "TF_NO_FRAME_ID: Ignoring transform because frame_id not set"
    if child == parent:
        return "TF_SELF_TRANSFORM: Ignoring transform because both frames are the same"
    if not all(map(math.isfinite, (*transform.translation, *transform.rotation))):
        return f"TF_NAN_INPUT: Ignoring transform because a value is not finite: {tuple(transform)}"
    if sum(value * value for value in transform.rotation) < _NO_ROTATION:
        return (
            "TF_DENORMALIZED_QUATERNION: Ignoring transform because of an invalid quaternion "
            f"{transform.rotation}"
        )
    return ""


def _chain(links: list[Sample]) -> Rigid:
    """Compose the links from a frame upwards into its pose in the last parent."""
    result = IDENTITY
    for sample in links:
        result = compose(sample.transform, result)
    return result


def _message(target: str, source: str, transform: Rigid, stamp_ns: int) -> TransformStamped:
    message = TransformStamped()
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    message.header.frame_id = target
    message.child_frame_id = source
    t, r = message.transform.translation, message.transform.rotation
    t.x, t.y, t.z = transform.translation
    r.x, r.y, r.z, r.w = transform.rotation
    return message
