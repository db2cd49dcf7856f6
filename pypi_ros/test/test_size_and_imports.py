# SPDX-License-Identifier: Apache-2.0
"""Rules for the stand-ins' own code: no import circles, short modules, a small whole."""

import graphlib
from pathlib import Path

import pytest

grimp = pytest.importorskip("grimp", reason="grimp is not installed")

PYTHON = Path(__file__).resolve().parents[1] / "python"
PACKAGES = sorted(path.name for path in PYTHON.iterdir() if (path / "__init__.py").exists())
MODULES = sorted(PYTHON.rglob("*.py"))


def imports(*packages: str) -> dict[str, set[str]]:
    """Return what each module imports, also inside functions and for type checking."""
    graph = grimp.build_graph(*packages, cache_dir=None)
    return {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}


def test_no_module_imports_itself_by_way_of_others(monkeypatch, only_here):
    only_here(pytest.importorskip("launch", reason="launch is not installed"))
    monkeypatch.syspath_prepend(str(PYTHON))
    found = imports(*PACKAGES)
    assert "launch.action" in found["launch.actions.execute_process"]
    graphlib.TopologicalSorter(found).prepare()  # raises CycleError, which names the circle


def test_a_circle_would_be_found(monkeypatch, tmp_path):
    package = tmp_path / "package_with_a_circle"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "one.py").write_text("from package_with_a_circle import two\n")
    (package / "two.py").write_text("def later():\n    import package_with_a_circle.one\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter(imports("package_with_a_circle")).prepare()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PYTHON)))
def test_module_is_readable(path):
    text = path.read_text()
    assert text.startswith("# SPDX-License-Identifier: Apache-2.0\n")
    assert text.count("\n") <= 350, "longer than 350 lines: does it hold two ideas?"


def test_the_whole_is_small():
    assert sum(path.read_text().count("\n") for path in MODULES) <= 6000
