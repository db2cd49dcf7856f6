# SPDX-License-Identifier: Apache-2.0
"""Writes docs/commands.md and config/completion.bash: all verbs and options, from the code itself.

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
2 bad usage, 130 interrupted. `--json FILE` of any command writes what it found or made.
`xd-rcdepth --help` lists the verbs, `xd-rcdepth <verb> --help` says what is here.
`. config/completion.bash` lets bash complete verbs and options.
"""

_COMPLETION = """\
# SPDX-License-Identifier: Apache-2.0
# Lets bash complete the verbs and options of xd-rcdepth: source it. Made by tools/commands_page.py.
_xd_rcdepth() {{
    local words="" options="" word=${{COMP_WORDS[COMP_CWORD]}}
    case "$COMP_CWORD ${{COMP_WORDS[*]:1:2}}" in
        {cases}
    esac
    if [[ $word == -* ]]; then words=$options; fi
    # Nothing found: bash completes file names.
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}}
complete -o default -F _xd_rcdepth xd-rcdepth
"""


def render_commands() -> str:
    """Return the page in Markdown."""
    return "\n".join([_BEGIN, *(_verb(verb, text) for verb, text in VERBS.items())])


def render_completion() -> str:
    """Return what lets bash complete verbs and options."""
    cases = [f'"1 "*) words="{" ".join(VERBS)}" ;;']
    for verb in VERBS:
        commands = _commands(verb)
        if "" not in commands:
            cases.append(f'"2 {verb} "*) words="{" ".join(commands)}" ;;')
        for name, command in commands.items():
            options = [o for p in command.params for o in (*p.opts, *p.secondary_opts)]
            words = " ".join(option for option in options if option.startswith("-"))
            cases.append(f'*" {verb} {name}"*) options="{words}" ;;')
    return _COMPLETION.format(cases="\n        ".join(cases))


def _commands(verb: str) -> dict[str, Any]:
    """Return the commands of a verb by name; most verbs have one, without a name."""
    app = importlib.import_module(f"xd_rcdepth_ros.cli.{verb}").app
    command = typer.main.get_command(app)
    return getattr(command, "commands", None) or {"": command}


def _verb(verb: str, text: str) -> str:
    """Return the part about one verb."""
    lines = [f"## {verb}", "", f"{text}.", ""]
    for name, sub in _commands(verb).items():
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
    Path("config/completion.bash").write_text(render_completion(), encoding="utf-8")
