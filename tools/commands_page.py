# SPDX-License-Identifier: Apache-2.0
"""Writes docs/commands.md: every verb of ``xd-rcdepth`` with its options, from the code itself.

python tools/commands_page.py
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import typer.main

from xd_rcdepth_ros.cli.main import VERBS

_BEGIN = """# Commands

Made by `tools/commands_page.py`. Exit status: 0 done, 1 failed (the reason is on standard error),
2 bad usage. `xd-rcdepth --help` lists the verbs, `xd-rcdepth <verb> --help` says what is here.
"""


def render_commands() -> str:
    """Return the page in Markdown."""
    return "\n".join([_BEGIN, *(_verb(verb, text) for verb, text in VERBS.items())])


def _verb(verb: str, text: str) -> str:
    """Return the part about one verb: its commands, of which most verbs have one."""
    app = importlib.import_module(f"xd_rcdepth_ros.cli.{verb}").app
    command = typer.main.get_command(app)
    lines = [f"## {verb}", "", f"{text}.", ""]
    inner = getattr(command, "commands", None)
    for name, sub in (inner or {"": command}).items():
        if name:
            lines += [f"### {verb} {name}", "", _first_paragraph(sub.help), ""]
        lines += ["| | default | |", "|---|---|---|"]
        lines += [_row(parameter) for parameter in sub.params if not _is_help(parameter)]
        lines.append("")
    return "\n".join(lines)


def _first_paragraph(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split())


def _is_help(parameter: Any) -> bool:
    return "--help" in parameter.opts


def _row(parameter: Any) -> str:
    argument = parameter.param_type_name == "argument"
    names = [parameter.name.upper()] if argument else [*parameter.opts, *parameter.secondary_opts]
    default = getattr(parameter.default, "value", parameter.default)
    known = isinstance(default, (str, int, float, Path)) and default not in ("", False)
    text = " ".join((getattr(parameter, "help", None) or "").split()).replace("|", "\\|")
    text = text.replace("<", "&lt;")
    needed = "needed" if parameter.required else ""
    shown = f"`{default}`" if known else needed
    return f"| {' '.join(f'`{name}`' for name in names)} | {shown} | {text} |"


if __name__ == "__main__":
    Path("docs/commands.md").write_text(render_commands(), encoding="utf-8")
