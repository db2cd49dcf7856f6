# SPDX-License-Identifier: Apache-2.0
"""The documentation: every page is led to, every link leads somewhere, generated pages are fresh.

``make docs`` builds the site with warnings as errors; what is here needs no MkDocs.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from commands_page import render_commands, render_completion  # noqa: E402

PAGES = sorted((ROOT / "docs").glob("*.md"))
OTHERS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "models/README.md")]
LINK = re.compile(r"\[[^\]]*\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
GENERATED = {"commands", "parameters"}


def headings(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts and MkDocs make them."""
    text = FENCE.sub("", page.read_text("utf-8"))
    names = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", name.lower()).strip().replace(" ", "-") for name in names}


def test_every_page_is_in_the_navigation_once():
    def pages(part):
        for entry in part:
            for value in entry.values():
                yield from pages(value) if isinstance(value, list) else [value]

    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    listed = sorted(pages(navigation))
    made = {"index.md", "models.md", "contributing.md"}  # by tools/docs_hooks.py
    assert listed == sorted({page.name for page in PAGES} | made)


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=lambda page: page.stem)
def test_links_lead_to_files_and_headings(page):
    text = FENCE.sub("", page.read_text("utf-8"))
    broken = []
    for target, anchor in LINK.findall(text):
        place = (page.parent / target).resolve() if target else page
        if not place.exists() or (anchor and anchor not in headings(place)):
            broken.append(f"{target}#{anchor}")
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_are_short_enough_to_be_read(page):
    assert page.stem in GENERATED or len(page.read_text("utf-8").splitlines()) <= 150


def test_the_page_of_commands_is_that_of_today():
    found = (ROOT / "docs" / "commands.md").read_text("utf-8")
    assert found == render_commands(), "run: python tools/commands_page.py"


def test_the_completion_is_that_of_today():
    found = (ROOT / "config" / "completion.bash").read_text("utf-8")
    assert found == render_completion(), "run: python tools/commands_page.py"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("de", {"demo", "describe"}),
        ("convert ny", set()),
        ("convert a", {"astyx"}),
        ("convert astyx --st", {"--storage"}),
        ("view drive --o", {"--out", "--outputs"}),
        ("view dri", set()),  # bash goes on with file names
        ("view ", set()),
    ],
)
def test_bash_completes_verbs_and_options(typed, offered):
    script = """
    . config/completion.bash
    IFS=' ' read -r -a COMP_WORDS <<< "xd-rcdepth $1"
    if [[ $1 == *" " ]]; then COMP_WORDS+=(""); fi
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _xd_rcdepth
    printf '%s\\n' "${COMPREPLY[@]}"
    """
    command = ["bash", "-c", script, "bash", typed]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == offered
