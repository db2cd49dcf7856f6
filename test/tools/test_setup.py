# SPDX-License-Identifier: Apache-2.0
"""tools/setup.sh on machines that lack something: all of it is named at once, nothing is made."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PLAIN_TOOLS = ("bash", "dirname", "sed", "cat")


@pytest.fixture
def bare_machine(tmp_path):
    """Run setup.sh in a copy, with a PATH that has only plain tools; return what it said."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "bin").mkdir()
    shutil.copy(PROJECT / "tools/setup.sh", tmp_path / "tools")

    def run(programs: dict[str, str], ros: str = "") -> str:
        for tool in PLAIN_TOOLS:
            (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
        for name, text in programs.items():
            (tmp_path / "bin" / name).write_text(text)
            (tmp_path / "bin" / name).chmod(0o755)
        environment = {"PATH": str(tmp_path / "bin"), "ROS_DISTRO": ros}
        command = [str(shutil.which("bash")), str(tmp_path / "tools/setup.sh")]
        result = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert result.returncode == 1
        assert not (tmp_path / ".venv").exists()
        return result.stderr

    return run


def test_everything_that_is_missing_is_named_at_once(bare_machine):
    said = bare_machine({})
    assert "missing: python3, g++, make." in said
    assert "sudo apt install python3 g++ make" in said


def test_a_python_without_venv_and_headers_is_told_from_a_missing_one(bare_machine):
    said = bare_machine({"python3": "#!/bin/bash\nexit 1\n", "g++": "", "make": ""})
    assert "missing: venv of python3, Python.h of python3." in said
    assert "sudo apt install python3-venv python3-dev" in said


def test_with_ros_sourced_its_build_tools_are_needed_too(bare_machine):
    said = bare_machine({"python3": "#!/bin/bash\nexit 0\n"}, ros="jazzy")
    assert "missing: g++, make, cmake, colcon." in said
    assert "python3-colcon-common-extensions" in said


def test_a_python_without_ros_wheels_is_refused(bare_machine):
    python = '#!/bin/bash\n[[ "$*" == *version_info* ]] && echo 3.14 || echo Python 3.14.1\n'
    said = bare_machine({"python3": python, "g++": "", "make": ""})
    assert "Python 3.14.1 is not among the versions" in said and "PYTHON=python3.11" in said


def test_newcomer_is_refused_without_root():
    script = (PROJECT / "tools/newcomer.sh").read_text()
    command = ["bash", "-s"]
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=65534", "--clear-groups", *command]
    result = subprocess.run(command, input=script, cwd="/", capture_output=True, text=True)
    assert result.returncode == 1
    assert "need root" in result.stderr
