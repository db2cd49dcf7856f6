# SPDX-License-Identifier: Apache-2.0
"""What all converters share: planned bags, written one by one or in parallel, resumed, verified."""

from __future__ import annotations

import multiprocessing
import os
import signal
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import RecordingError, XDRCDepthError
from xd_rcdepth_ros.recordings.bags import read_info
from xd_rcdepth_ros.recordings.writer import DriveWriter

# (messages done, messages in all, name of the bag)
Progress = Callable[[int, int, str], None]
# Below this, starting a process takes longer than it saves.
_MESSAGES_PER_WORKER = 3000


def option(default: Any, text: str) -> Any:
    """Return a dataclass field that is an option of a converter, with its help text."""
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class SplitOption:
    """The option of every data set that comes in splits."""

    split: str | None = option(None, "Only this split, such as train or val; all if left out.")


class DrivePlan(ABC):
    """One bag to be: small, picklable, and able to write itself and to say what it should hold.

    Attributes:
        name: Name of the bag's folder.
        info: What the bag remembers; ``options`` in it decide whether a finished bag is the same.
    """

    name: str
    info: dict[str, Any]
    version: ClassVar[int] = 1  # raise it when a converter writes something else than before

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of sensor messages."""

    @abstractmethod
    def write(self, writer: DriveWriter, tick: Callable[[], None]) -> Counter[str]:
        """Write everything; call ``tick`` after each sensor message; return what was skipped."""

    @abstractmethod
    def stamps(self) -> dict[str, list[int]]:
        """Return the stamps, nanoseconds, that the bag should have on each sensor topic."""

    @abstractmethod
    def source_images(self) -> Iterator[tuple[str, int, bytes]]:
        """Yield topic, stamp and the bytes on disk of each image, or the pixels of a sky mask."""

    @abstractmethod
    def source_lidar(self, stamp_ns: int) -> NDArray[np.float64] | None:
        """Return lidar points (N, 3), metres, in the first camera's frame at an image's stamp.

        Computed from the source without the bag's transforms; None where there is no lidar.
        """


def convert_plans(
    plans: Sequence[DrivePlan],
    out: str | Path,
    storage: str = "mcap",
    jobs: int = 1,
    progress: Progress | None = None,
) -> list[Path]:
    """Write the planned bags that are not there yet.

    A bag that fails does not stop the others; nothing of it is left.

    Args:
        plans: The bags.
        out: Folder for them.
        storage: ``mcap`` or ``sqlite3``.
        jobs: Processes to use at most; 0 takes one a core.
        progress: Called with (messages done, messages in all, bag).

    Returns:
        Paths of all bags, in the order of the plans, also of those that were there already.

    Raises:
        RecordingError: A bag failed, or a folder of its name holds something else.
    """
    out = Path(out)
    report = progress or (lambda done, total, name: None)
    pending = [plan for plan in plans if not _is_finished(out / plan.name, plan)]
    total = sum(len(plan) for plan in plans)
    done = total - sum(len(plan) for plan in pending)
    workers = min(
        jobs or os.cpu_count() or 1,
        len(pending),
        1 + sum(len(plan) for plan in pending) // _MESSAGES_PER_WORKER,
    )
    failed: dict[str, XDRCDepthError] = {}
    report(done, total, "")
    if workers <= 1:
        for plan in pending:
            start = done

            def tick(name: str = plan.name) -> None:
                nonlocal done
                done += 1
                report(done, total, name)

            try:
                write_plan(plan, out, storage, tick)
            except XDRCDepthError as error:
                failed[plan.name] = error
                done = start + len(plan)
    else:
        with closing(_in_parallel(pending, out, storage, workers)) as finished:
            for plan, problem in finished:
                if problem is not None:
                    failed[plan.name] = problem
                done += len(plan)
                report(done, total, plan.name)
    if failed:
        name, first = next(iter(failed.items()))
        raise RecordingError(
            f"{len(failed)} of {len(plans)} bags failed ({', '.join(failed)}); {name}: {first}"
        )
    return [out / plan.name for plan in plans]


@dataclass(frozen=True)
class Converter:
    """Converts a data set: plans its bags, and writes those that are not there yet.

    Attributes:
        plan: Reads the data set's root and its options; returns the bags to write.
    """

    plan: Callable[..., Sequence[DrivePlan]]

    def __call__(
        self,
        root: str | Path,
        out: str | Path,
        *,
        storage: str = "mcap",
        jobs: int = 1,
        progress: Progress | None = None,
        **options: Any,
    ) -> list[Path]:
        """Convert; an interrupted run goes on where it ended.

        Args:
            root: Folder of the data set, as ``plan`` says.
            out: Folder for the bags.
            storage: ``mcap`` or ``sqlite3``.
            jobs: Processes at most; 0 takes one a core.
            progress: Called with (messages done, messages in all, bag).
            **options: The data set's own, as ``plan`` says.

        Returns:
            The bags' paths.

        Raises:
            RecordingError: Something is missing or damaged, or a bag cannot be written.
        """
        return convert_plans(self.plan(root, **options), out, storage, jobs, progress)


def _in_parallel(
    plans: Sequence[DrivePlan], out: Path, storage: str, workers: int
) -> Generator[tuple[DrivePlan, XDRCDepthError | None], None, None]:
    """Write bags in several processes; yield each plan when it is done, with its error if any."""
    # Spawned, not forked: the caller may run threads, such as a progress display.
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    with ProcessPoolExecutor(workers, context, _start_worker, (stop,)) as pool:
        # Ctrl-C reaches every process of a terminal. A worker that died of it would make the pool
        # kill the others in the middle of a bag. So the workers inherit a mask that keeps it from
        # them, and are told to stop instead.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            futures = {pool.submit(_write_in_worker, p, out, storage): p for p in plans}
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        try:
            for future in as_completed(futures):
                error = future.exception()
                if error is not None and not isinstance(error, XDRCDepthError):
                    raise error
                yield futures[future], error
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


_stop: Any = None  # in a worker process, the event that tells it to give up


def _start_worker(stop: Any) -> None:
    global _stop
    _stop = stop


def _write_in_worker(plan: DrivePlan, out: Path, storage: str) -> None:
    def tick() -> None:
        if _stop.is_set():
            raise KeyboardInterrupt

    write_plan(plan, out, storage, tick)


def write_plan(
    plan: DrivePlan, out: Path, storage: str, tick: Callable[[], None] = lambda: None
) -> None:
    """Write one planned bag; nothing is left of it if it fails."""
    info = {**plan.info, "converter_version": plan.version}
    try:
        with DriveWriter(out / plan.name, storage, info) as writer:
            skipped = plan.write(writer, tick)
            writer.info["skipped"] = {reason: n for reason, n in skipped.items() if n}
    except OSError as error:  # a source file that is there, but cannot be read
        raise RecordingError(f"{plan.name}: {error}.") from error


def _is_finished(path: Path, plan: DrivePlan) -> bool:
    if not path.exists():
        return False
    there = read_info(path)
    for key, wanted in (
        ("source", plan.info.get("source")),
        ("options", plan.info.get("options")),
        ("converter_version", plan.version),
    ):
        if there.get(key) != wanted:
            raise RecordingError(
                f"{path} is there already, but with {key} {there.get(key)} instead of {wanted}. "
                "Remove it, or choose another output folder."
            )
    return True


def read_splits(
    root: Path, names: Sequence[str], there: Sequence[str], split: str | None
) -> dict[str, list[str]]:
    """Read the lists ``<name>.txt`` of a data set: one frame a line.

    Args:
        root: Folder of the lists.
        names: Splits to look for.
        there: Frames of the data set; without any list they are the split ``all``.
        split: Take only this one; None takes every list.

    Returns:
        Split -> frames, in the order of the list.

    Raises:
        RecordingError: There are no frames, the split has no list, or a list names a frame twice or
            one that is not there.
    """
    if not there:
        raise RecordingError(f"{root} holds no images.")
    lists = [name for name in names if (root / f"{name}.txt").is_file()]
    if split is not None and split not in lists:
        raise RecordingError(
            f"{root} has no list {split}.txt; it has {', '.join(lists) or 'no list'}."
        )
    if not lists:
        return {"all": list(there)}
    result: dict[str, list[str]] = {}
    known = set(there)
    for name in [split] if split else lists:
        try:
            frames = (root / f"{name}.txt").read_text(encoding="utf8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise RecordingError(f"cannot read the list {root / name}.txt: {error}.") from error
        absent = [frame for frame in frames if frame not in known]
        if absent or len(set(frames)) < len(frames) or not frames:
            raise RecordingError(
                f"{root / name}.txt names {len(frames)} frames, of which {len(absent)} have no "
                f"image{f' (such as {absent[0]})' if absent else ''} and "
                f"{len(frames) - len(set(frames))} come twice; expected existing frames, each once."
            )
        result[name] = frames
    return result
