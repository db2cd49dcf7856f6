# SPDX-License-Identifier: Apache-2.0
"""Takes into the documentation site what lies outside docs/: README, the models' card, pictures.

Links are kept as a code host reads them, and turned here into those of the site. One to a file that
the site does not have becomes its name.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
PAGES = {
    "index.md": "README.md",
    "models.md": "models/README.md",
    "contributing.md": "CONTRIBUTING.md",
}
_PLACES = {source: page for page, source in PAGES.items()}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?://|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and the pictures that lie elsewhere."""
    for page, source in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text("utf-8")))
    for page in list(files.documentation_pages()):
        folder = (ROOT / _source(page.src_uri)).parent
        for picture, _, target, _ in _LINK.findall(page.content_string):
            place = os.path.relpath(folder / target, ROOT)
            if picture and not place.startswith("docs/") and not files.get_file_from_path(place):
                files.append(File.generated(config, place, abs_src_path=str(ROOT / place)))
    return files


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """Turn links as a code host reads them into those of the site."""
    here = page.file.src_uri
    folder = (ROOT / _source(here)).parent

    def turn(found: re.Match[str]) -> str:
        picture, text, target, anchor = found.groups(default="")
        place = os.path.relpath(folder / target, ROOT)
        place = _PLACES.get(place, place.removeprefix("docs/"))
        if files.get_file_from_path(place) is None:
            return found[0] if (ROOT / "docs" / place).parent == ROOT / "docs" else text
        return f"{picture}[{text}]({os.path.relpath(place, Path(here).parent)}{anchor})"

    return _LINK.sub(turn, markdown)


def _source(page: str) -> str:
    """Return the file, from the project's root, that a page is made of."""
    return PAGES.get(page, f"docs/{page}")


def on_page_content(html: str, **_: Any) -> str:
    """Take out Sphinx' roles, which docstrings hold and MkDocs does not know."""
    return re.sub(r":(?:meth|class|func|attr|mod|data|exc):(?=<code>)", "", html)
