# SPDX-License-Identifier: Apache-2.0
"""Model files from strangers, paths that are no files, and the judge of `make audit`."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from xd_rcdepth_ros.errors import CheckpointError
from xd_rcdepth_ros.network import checkpoint, load_checkpoint

PROJECT = Path(__file__).resolve().parents[1]
JUDGE = PROJECT / "tools" / "judge_audit.py"


def stranger(path: Path, header: str) -> Path:
    """Write a safetensors file of one number with any header."""
    save_file({"x": torch.zeros(1)}, path, metadata={"xd_rcdepth": header})
    return path


def test_a_header_cannot_claim_more_memory_than_its_file_holds(tmp_path):
    """Hundreds of gigabytes claimed by a file of some hundred bytes: refused at once."""
    config = {"decoder_channels": [200_000, 200_000, 200_000, 200_000]}
    text = json.dumps({"architecture": "xd_rcdepth_student", "config": config})
    path = stranger(tmp_path / "huge.safetensors", text)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match="does not fit"):
        load_checkpoint(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 200_000


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("[" * 100_000, "damaged"),
        ('{"architecture": "os.system"}', "architecture 'os.system'"),
        (
            json.dumps(
                {
                    "architecture": "xd_rcdepth_student",
                    "config": {"daspp_dilations": [3] * 100_000},
                }
            ),
            "100000 entries",
        ),
        ("x" * (checkpoint.MAX_HEADER_BYTES + 1), "no usable header"),
    ],
    ids=["nested", "architecture", "long list", "long header"],
)
def test_headers_that_mean_harm_are_refused_by_name(tmp_path, header, said):
    with pytest.raises(CheckpointError, match=said):
        load_checkpoint(stranger(tmp_path / "odd.safetensors", header))


def test_paths_that_are_no_files_of_reasonable_size_are_refused(tmp_path):
    pipe, loop, large = tmp_path / "pipe", tmp_path / "loop", tmp_path / "large.safetensors"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    with large.open("wb") as file:
        file.truncate(checkpoint.MAX_FILE_BYTES + 1)  # sparse: takes no room
    for path in (pipe, tmp_path, Path("/dev/zero")):
        with pytest.raises(CheckpointError, match="no model file"):
            load_checkpoint(path)
    with pytest.raises((CheckpointError, OSError)):
        load_checkpoint(loop)
    with pytest.raises(CheckpointError, match="at most"):
        load_checkpoint(large)


FINE = {"name": "numpy", "version": "2.4.6", "vulns": []}
BAD = {"name": "old", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
UNKNOWN = {"name": "own", "skip_reason": "not found on PyPI"}


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([FINE], 0, "1 of 1 packages looked up, 0 of them vulnerable"),
        ([FINE, BAD], 1, "old 1.0: PYSEC-1; fixed in 1.1"),
        ([FINE, UNKNOWN], 2, "1 packages could not be looked up (own)"),
        ([BAD, UNKNOWN], 1, "could not be looked up"),
        ([], 2, "0 of 0"),
    ],
)
def test_audit_is_passed_only_by_packages_that_were_looked_up(tmp_path, packages, status, said):
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"dependencies": packages}))
    done = subprocess.run([sys.executable, str(JUDGE), str(report)], capture_output=True, text=True)
    assert done.returncode == status and said in done.stdout


ADVISORY = """
id: PYSEC-2026-1
affected:
- package: {name: Some_Package, ecosystem: PyPI}
  versions: ["0.9"]
  ranges:
  - {type: GIT, events: [{introduced: "0"}, {fixed: abcdef}]}
  - {type: ECOSYSTEM, events: [{introduced: "1.2"}, {fixed: "1.10"}]}
"""


@pytest.mark.parametrize(
    ("version", "status"), [("0.9", 1), ("1.1", 0), ("1.2", 1), ("1.9.1", 1), ("1.10", 0)]
)
def test_an_audit_from_a_checkout_of_the_advisories_finds_what_they_name(tmp_path, version, status):
    folder = tmp_path / "vulns" / "some-package"
    folder.mkdir(parents=True)
    (folder / "PYSEC-2026-1.yaml").write_text(ADVISORY)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"# pins\nSome-Package[extra]=={version}  # why\nother==1.0\n")
    looked_up = subprocess.run(
        [sys.executable, str(JUDGE.with_name("look_up_offline.py")), tmp_path, requirements],
        capture_output=True,
        text=True,
        check=True,
    )
    report = tmp_path / "report.json"
    report.write_text(looked_up.stdout)
    done = subprocess.run([sys.executable, str(JUDGE), str(report)], capture_output=True, text=True)
    assert done.returncode == status and "2 of 2 packages looked up" in done.stdout
    assert ("fixed in 1.10" in done.stdout) == bool(status)


def test_everything_that_setup_installs_without_ros_is_pinned_exactly():
    """Else the audit would look up other versions than those that run."""
    for name in ("python.txt", "ros.txt", "oracles.txt", "audit.txt"):
        lines = (PROJECT / "requirements" / name).read_text().splitlines()
        pins = [line.split("#")[0].strip() for line in lines]
        assert not [pin for pin in pins if pin and "==" not in pin]
