# SPDX-License-Identifier: Apache-2.0
"""Show the results of all experiments on one page: their plots, then their figures.

python experiments/page.py --out out/experiments.html
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xd_rcdepth_ros.report.page import Page, Picture, Section, Table, write_page
from xd_rcdepth_ros.report.pictures import data_uri

HERE = Path(__file__).parent


def shown(value: Any) -> str:
    """Return a figure, or a list of them, with four digits."""
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def tables_of(results: Mapping[str, Any], title: str = "") -> list[Table]:
    """Return figures as tables: one of the single values, one of each group of equal entries."""
    groups = {k: v for k, v in results.items() if isinstance(v, dict) and v}
    single = [(k, shown(v)) for k, v in results.items() if k not in groups and is_flat(v)]
    tables = [Table(single, title=title)] if single else []
    flat = {k: v for k, v in groups.items() if all(map(is_flat, v.values()))}
    if len({tuple(v) for v in flat.values()}) == 1 and len(flat) > 1:
        head = ["", *next(iter(flat.values()))]
        rows = [[name, *map(shown, group.values())] for name, group in flat.items()]
        tables.append(Table(rows, head, title))
        groups = {k: v for k, v in groups.items() if k not in flat}
    for name, group in groups.items():
        tables += tables_of(group, f"{title}, {name}" if title else name)
    return tables


def is_flat(value: Any) -> bool:
    """Return whether a value is a single one, or a list of single ones."""
    inner = value if isinstance(value, list) else [value]
    return not any(isinstance(one, dict | list) for one in inner)


def experiments_page(folder: Path = HERE) -> Page:
    """Return the page of all experiments that have results.

    Args:
        folder: Holds a folder with results.json, and mostly results.png, for each of them.
    """
    found = [file.parent for file in sorted(folder.glob("*/results.json"))]
    drawn = [one for one in found if (one / "results.png").exists()]
    sections = []
    for one in sorted(found, key=lambda one: one not in drawn):
        results = json.loads((one / "results.json").read_text())
        results = {"summary": results.pop("summary", {}), **results}
        pictures = []
        if one in drawn:
            source = data_uri((one / "results.png").read_bytes(), "png")
            pictures = [("", [Picture("", f"experiments/{one.name}/results.png", source)])]
        tables = tables_of(results)
        sections.append(Section(one.name.replace("_", " "), pictures=pictures, tables=tables))
    lead = f"{len(found)} experiments; docs/experiments.md says what they show."
    return Page("Experiments", lead, sections)


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/experiments.html"))
    write_page(parser.parse_args().out, experiments_page())


if __name__ == "__main__":
    main()
