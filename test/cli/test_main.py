# SPDX-License-Identifier: Apache-2.0
"""The command: verbs, exit statuses, describe."""

import ast
import importlib
import json
from pathlib import Path

import pytest
import typer

from xd_rcdepth_ros import __version__
from xd_rcdepth_ros.cli import main as cli
from xd_rcdepth_ros.errors import XDRCDepthError


def test_every_verb_exists_and_has_help(capsys):
    for verb in cli.VERBS:
        assert isinstance(importlib.import_module(f"xd_rcdepth_ros.cli.{verb}").app, typer.Typer)
        assert cli.main([verb, "--help"]) == 0
        assert "Usage" in capsys.readouterr().out


def commands_in(path):
    """Yield the functions of a file that are commands of typer."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
            if any(decorator.startswith("app.command") for decorator in decorators):
                yield node


def test_commands_keep_to_what_typer_0_4_knows():
    """Ubuntu 22.04 has typer 0.4: no Annotated, no ``X | None``, no option without a default.

    Each command also writes its figures with ``--json``.
    """
    found = 0
    for path in sorted(Path(cli.__file__).parent.glob("*.py")):
        assert "Annotated" not in path.read_text(), path
        for command in commands_in(path):
            found += 1
            arguments = command.args.args
            assert len(command.args.defaults) == len(arguments), (path, command.name)
            assert "json_file" in [argument.arg for argument in arguments], (path, command.name)
            for argument in arguments:
                assert "|" not in ast.unparse(argument.annotation), (path, argument.arg)
    assert found == len(cli.VERBS) - 1 + 4  # convert has a command for each data set


def test_no_verb_and_unknown_verb_are_bad_usage(capsys):
    assert cli.main([]) == 2
    assert "describe" in capsys.readouterr().out
    assert cli.main(["fly"]) == 2
    assert "'fly'" in capsys.readouterr().err
    assert cli.main(["describe", "--no-such-option"]) == 2


def test_help_and_version(capsys):
    assert cli.main(["--help"]) == 0
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.strip().endswith(__version__)


def test_own_errors_are_told_without_traceback(capsys, tmp_path):
    assert cli.main(["describe", "--model", str(tmp_path / "none.safetensors")]) == 1
    error = capsys.readouterr().err
    assert "no model file" in error and "Traceback" not in error


def test_foreign_errors_are_not_hidden(monkeypatch):
    def explode(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr("xd_rcdepth_ros.cli.describe.app", explode)
    with pytest.raises(ZeroDivisionError):
        cli.main(["describe"])
    assert issubclass(XDRCDepthError, Exception)


def test_a_file_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert cli.main(["describe", "--json", str(tmp_path / "file" / "figures.json")]) == 1
    error = capsys.readouterr().err
    assert str(tmp_path / "file") in error and "Traceback" not in error


def test_an_interrupted_command_says_so_and_exits_with_130(monkeypatch, capsys):
    app = typer.Typer()

    @app.command()
    def wait():
        raise KeyboardInterrupt

    monkeypatch.setattr("xd_rcdepth_ros.cli.describe.app", app)
    assert cli.main(["describe"]) == 130
    assert "xd-rcdepth describe: interrupted" in capsys.readouterr().err


def test_describe_writes_the_figures(tmp_path):
    path = tmp_path / "deep" / "figures.json"
    assert cli.main(["describe", "--json", str(path)]) == 0
    student = json.loads(path.read_text())["student"]
    assert isinstance(student["parameters"], int)
    assert 8_620_000 <= student["parameters"] <= 8_890_000
    assert student["gmac_352x704"] <= 7.0
