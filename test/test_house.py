# SPDX-License-Identifier: Apache-2.0
"""The rules of the house: one-way imports, module sizes, licence headers, no prints."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
MODULES = sorted((PROJECT / "xd_rcdepth_ros").rglob("*.py"))


def test_imports_go_one_way():
    command = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert command, "import-linter is not installed; run make setup"
    result = subprocess.run([command], cwd=PROJECT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_linter_sees_a_forbidden_import(tmp_path):
    """The contract is alive: an import upwards in a copy of the package is found."""
    shutil.copytree(PROJECT / "xd_rcdepth_ros", tmp_path / "xd_rcdepth_ros")
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    camera = tmp_path / "xd_rcdepth_ros/geometry/camera.py"
    camera.write_text(camera.read_text() + "\nimport xd_rcdepth_ros.inference\n")
    command = Path(sys.executable).parent / "lint-imports"
    result = subprocess.run([command], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode != 0
    assert "xd_rcdepth_ros.geometry.camera" in result.stdout


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PROJECT)))
def test_module_is_readable(path):
    text = path.read_text()
    assert text.startswith("# SPDX-License-Identifier: Apache-2.0"), "no licence line"
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "no module docstring"
    assert text.count("\n") <= 350, "longer than 350 lines: does it hold two ideas?"
    prints = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
    ]
    assert not prints, f"print in library code, lines {prints}"


def test_nothing_is_unpickled_or_evaluated():
    forbidden = ("pickle.load", "torch.load", "eval", "exec", "os.system")
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in forbidden, f"{path}:{node.lineno}"
