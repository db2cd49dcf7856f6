# SPDX-License-Identifier: Apache-2.0
"""README: short, its links lead somewhere, and the workflows run its own lines."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
README = (PROJECT / "README.md").read_text()
WORKFLOWS = sorted((PROJECT / ".github/workflows").glob("*.yml"))
PAGES = [
    PROJECT / "README.md",
    PROJECT / "CONTRIBUTING.md",
    *sorted((PROJECT / "docs").glob("*.md")),
]


def commands_below(heading: str) -> str:
    """Return the commands that tools/readme.sh prints for a heading."""
    command = [PROJECT / "tools/readme.sh", heading]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_readme_is_short():
    assert len(README.splitlines()) <= 120


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("heading", ["See it, without ROS", "With ROS 2"])
def test_the_lines_of_an_installation_begin_with_what_setup_needs(heading):
    first, *others = commands_below(heading).splitlines()
    assert first.startswith("sudo apt install ")
    assert {"make", "g++", "python3-venv", "python3-dev"} <= set(first.split())
    assert any(line.split()[0] == "make" for line in others)


def test_a_heading_without_commands_is_refused():
    command = [PROJECT / "tools/readme.sh", "Licence"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1 and "no commands below: ## Licence" in result.stderr


def test_the_workflow_runs_readme_on_each_distribution():
    (workflow,) = [yaml.safe_load(path.read_text()) for path in WORKFLOWS]
    jobs = workflow["jobs"]
    matrix = jobs["with_ros"]["strategy"]["matrix"]["distribution"]
    assert matrix == ["humble", "jazzy", "kilted", "lyrical", "rolling"]
    for job, heading in (("without_ros", "See it, without ROS"), ("with_ros", "With ROS 2")):
        lines = "\n".join(step.get("run", "") for step in jobs[job]["steps"])
        assert f'tools/readme.sh "{heading}" | bash -e' in lines


def test_what_the_workflow_makes_exists():
    targets = set(re.findall(r"^(\w+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    wanted = re.findall(r"\bmake (\w+)", WORKFLOWS[0].read_text())
    assert wanted and set(wanted) <= targets
