# SPDX-License-Identifier: Apache-2.0
"""The page that all reports share: one HTML file that needs no other file and no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from xd_rcdepth_ros.report.pictures import RGBImage, data_uri, png


@dataclass(frozen=True)
class Picture:
    """A picture and what it shows.

    Attributes:
        name: A few words.
        caption: What it shows.
        source: The picture as a data URI.
    """

    name: str
    caption: str
    source: str


@dataclass(frozen=True)
class Scale:
    """What the colours of pictures mean.

    Attributes:
        name: What the colours show.
        strip: (height, width, 3) uint8 RGB, the colours from left to right.
        ticks: (share of the width, text) from left to right.
    """

    name: str
    strip: RGBImage
    ticks: Sequence[tuple[float, str]]

    @property
    def source(self) -> str:
        """The strip as a data URI."""
        return data_uri(png(self.strip), "png")


@dataclass(frozen=True)
class PlayerFrame:
    """One frame of a player.

    Attributes:
        views: JPEG bytes of each view.
        caption: Time, latency and error in a few words.
    """

    views: Sequence[bytes]
    caption: str


@dataclass(frozen=True)
class Player:
    """A drive that moves.

    Attributes:
        views: (name, text) of each view.
        frames: At least one.
        period_ms: Time between two of them, milliseconds.
        scales: What the colours mean.
    """

    views: Sequence[tuple[str, str]]
    frames: Sequence[PlayerFrame]
    period_ms: float
    scales: Sequence[Scale] = ()

    @property
    def first(self) -> list[Picture]:
        """The views of the first frame."""
        sources = map(data_uri, self.frames[0].views)
        return [Picture(*view, source) for view, source in zip(self.views, sources, strict=True)]

    @property
    def data(self) -> dict[str, object]:
        """What the page's script plays."""
        frames = [
            {"views": [data_uri(view) for view in frame.views], "caption": frame.caption}
            for frame in self.frames
        ]
        return {"period_ms": round(self.period_ms), "frames": frames}


@dataclass(frozen=True)
class Table:
    """A table; without a head, it is one of names and texts.

    Attributes:
        rows: The cells of each row.
        head: Heading of each column.
        title: What the table shows.
        strong: Rows whose first cell says this are printed bold.
    """

    rows: Sequence[Sequence[object]]
    head: Sequence[str] = ()
    title: str = ""
    strong: str | None = None


@dataclass(frozen=True)
class Section:
    """A part of a page; what it holds is shown in the order of the attributes.

    Attributes:
        title: Its heading.
        text: What it shows, in a sentence or two.
        pictures: (title, pictures) of each group of pictures that belong together.
        scales: What the colours of the pictures mean.
        charts: As the functions of ``report.charts`` return them.
        figures: (name, value, sentence) of each figure.
        tables: Tables.
    """

    title: str
    text: str = ""
    pictures: Sequence[tuple[str, Sequence[Picture]]] = ()
    scales: Sequence[Scale] = ()
    charts: Sequence[Markup] = ()
    figures: Sequence[tuple[str, str, str]] = ()
    tables: Sequence[Table] = ()


@dataclass(frozen=True)
class Page:
    """A report. Pictures come first: the player, or sections that begin with some.

    Attributes:
        title: Headline.
        lead: What came out, in two sentences.
        sections: Its parts.
        player: The drive, if it moves.
    """

    title: str
    lead: str
    sections: Sequence[Section]
    player: Player | None = None


def render(page: Page) -> str:
    """Return the page as HTML; all texts are escaped."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = files("xd_rcdepth_ros.report").joinpath("page.html").read_text("utf8")
    return environment.from_string(template).render(page=page)


def write_page(path: Path, page: Page) -> None:
    """Write the page; it needs no file beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, render(page).encode())


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is either the old one or the whole new one."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)
