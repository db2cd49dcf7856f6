# SPDX-License-Identifier: Apache-2.0
"""Long work in a log file: a line at the begin, now and then, and at the end."""

import io

import pytest
from rich.console import Console

from xd_rcdepth_ros.cli.progress import LINE_EVERY_S, ProgressBar


class FakeClock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_a_log_file_gets_a_line_now_and_then(clock):
    log = io.StringIO()
    with ProgressBar(console=Console(file=log, width=200), clock=clock) as bar:
        task = bar.add_task("fit", total=4, text="")
        bar.update(task, completed=1, text="loss 2.5")
        clock.now_s += LINE_EVERY_S - 1
        bar.update(task, completed=2, text="loss 2.0")  # too soon for a line
        clock.now_s += 1
        bar.advance(task)
        clock.now_s += 1
        bar.update(task, completed=4, text="loss 1.0")  # complete: said at once
        bar.update(task, completed=4, text="loss 1.0")  # and once only
    assert log.getvalue().splitlines() == [
        "fit  1/4  0:00:00  loss 2.5",
        "fit  3/4  0:00:30  loss 2.0",
        "fit  4/4  0:00:31  loss 1.0",
    ]


def test_a_description_that_changes_and_an_unknown_total_are_shown(clock):
    log = io.StringIO()
    with ProgressBar(console=Console(file=log, width=20), clock=clock) as bar:
        task = bar.add_task("reading", total=None)
        bar.update(task, description="a/very/long/name/of/[a]/bag", completed=7)
    assert log.getvalue() == "a/very/long/name/of/[a]/bag  7  0:00:00\n"


def test_a_terminal_gets_the_bar_and_no_lines(clock):
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=80)
    with ProgressBar(console=console, clock=clock) as bar:
        task = bar.add_task("fit", total=2)
        bar.update(task, completed=2)
    assert "━" in terminal.getvalue()
    assert "fit  2/2" not in terminal.getvalue()
