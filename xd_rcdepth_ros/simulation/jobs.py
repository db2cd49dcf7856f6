# SPDX-License-Identifier: Apache-2.0
"""Jobs done by several threads whose results keep their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def ordered(work: Callable[[Job], Result], jobs: Iterable[Job], workers: int) -> Iterator[Result]:
    """Yield ``work(job)`` in the order of the jobs, with a few in the making."""
    if workers <= 1:
        yield from map(work, jobs)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting: list[Future[Result]] = []
        for job in jobs:
            waiting.append(pool.submit(work, job))
            if len(waiting) > 6 * workers:  # small jobs between large ones starve no worker
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()
