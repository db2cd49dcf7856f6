# SPDX-License-Identifier: Apache-2.0
"""Progress of long work: a bar in a terminal, else a line now and then (a log file, nohup, CI)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import Progress, ProgressColumn, TaskID

LINE_EVERY_S = 30.0


class ProgressBar(Progress):
    """Rich's progress display, which prints lines where the output is no terminal.

    A line is printed when a task begins, when it is complete, and at most every 30 s between: its
    description, how much is done, the time since its begin, and its field ``text`` if it has one.

    Args:
        columns: Of the bar in a terminal; rich's own if there are none.
        console: Where to print.
        transient: Whether the bar disappears from the terminal at the end.
        clock: Seconds of a steady clock.
    """

    def __init__(
        self,
        *columns: str | ProgressColumn,
        console: Console,
        transient: bool = False,
        speed_estimate_period: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._next_line_s: dict[TaskID, float] = {}
        self._complete: set[TaskID] = set()
        super().__init__(
            *columns,
            console=console,
            transient=transient,
            speed_estimate_period=speed_estimate_period,
            disable=not console.is_terminal,
            get_time=clock,
        )

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Change a task as rich does."""
        super().update(task_id, **changes)
        self._print_line(task_id)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Add to what a task has done, as rich does."""
        super().advance(task_id, advance)
        self._print_line(task_id)

    def _print_line(self, task_id: TaskID) -> None:
        task, now_s = self.tasks[self.task_ids.index(task_id)], self._clock()
        complete = task.total is not None and task.completed >= task.total
        is_news = complete and task_id not in self._complete
        if not self.disable or not (is_news or now_s >= self._next_line_s.get(task_id, 0.0)):
            return
        if complete:
            self._complete.add(task_id)
            self._next_line_s[task_id] = float("inf")
        else:
            self._next_line_s[task_id] = now_s + LINE_EVERY_S
        done = f"{task.completed:g}" + (f"/{task.total:g}" if task.total else "")
        spent = str(timedelta(seconds=round(task.elapsed or 0.0)))
        parts = (task.description, done, spent, str(task.fields.get("text", "")))
        line = "  ".join(part for part in parts if part)
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)
