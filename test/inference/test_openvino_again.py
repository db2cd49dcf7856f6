# SPDX-License-Identifier: Apache-2.0
"""OpenVINO graphs are made once: kept in the process and in the user's cache folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from xd_rcdepth_ros.inference.backends import ModelFile, checked, choose_backend, graph_cache
from xd_rcdepth_ros.inference.backends.checked import CheckedGraph
from xd_rcdepth_ros.inference.backends.graph_cache import GraphCache
from xd_rcdepth_ros.network import ModelHeader, Student, StudentConfig, save_checkpoint
from xd_rcdepth_ros.network.prediction import DEPTH

pytest.importorskip("openvino", reason="OpenVINO is not installed")
SIZE = (64, 96)
SMALL = {"decoder_channels": (48, 32, 24, 16), "daspp_growth": 8}


def write_model(path, seed=1):
    torch.manual_seed(seed)
    header = ModelHeader("xd_rcdepth_student", SMALL, input_size=SIZE)
    save_checkpoint(path, Student(StudentConfig(**SMALL)), header)
    return path


@pytest.fixture
def model_file(tmp_path, monkeypatch, convert):
    """A small model, an empty cache folder, and a process that remembers no graph."""
    monkeypatch.setattr(checked, "to_openvino", convert)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(CheckedGraph, "_last", None)
    return write_model(tmp_path / "small.safetensors")


@pytest.fixture(scope="module")
def graphs(tmp_path_factory, convert):
    """The cache folder after that model has been loaded once."""
    folder = tmp_path_factory.mktemp("graphs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checked, "to_openvino", convert)
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.setattr(CheckedGraph, "_last", None)
        load(write_model(folder / "small.safetensors"))
        return graph_cache.cache_folder()


@pytest.fixture
def loaded_before(model_file, graphs):
    """The model, which another process has loaded; where its graph is cached."""
    shutil.copytree(graphs, graph_cache.cache_folder())
    (path,) = (graph_cache.cache_folder() / "graphs").iterdir()
    return path


@pytest.fixture
def conversions(model_file, convert, monkeypatch):
    """How often a network was converted."""
    done = []
    monkeypatch.setattr(
        checked, "to_openvino", lambda *asked, **how: done.append(1) or convert(*asked, **how)
    )
    return done


def new_process(monkeypatch):
    monkeypatch.setattr(CheckedGraph, "_last", None)


def load(path, precision="fp32"):
    return choose_backend(ModelFile(path), "openvino", "cpu", precision, 1, SIZE)


def test_the_same_weights_are_converted_once_in_a_process_and_once_for_all(
    model_file, tmp_path, monkeypatch, conversions
):
    first = load(model_file)
    assert "none was in the cache" in first.note
    load(model_file)
    assert len(conversions) == 1
    new_process(monkeypatch)
    again = load(model_file)
    assert len(conversions) == 1 and "graph from the cache" in again.note
    image, radar = np.full((*SIZE, 3), 90, np.uint8), np.zeros((4, *SIZE), np.float32)
    np.testing.assert_allclose(
        first.backend.run(image, radar), again.backend.run(image, radar), rtol=1e-6
    )
    load(write_model(tmp_path / "other.safetensors", seed=2))
    assert len(conversions) == 2


def test_a_cached_graph_needs_no_weights_in_pytorch(model_file, loaded_before, monkeypatch):
    model = ModelFile(model_file)
    monkeypatch.setattr(model, "network", lambda: pytest.fail("the weights were loaded"))
    choose_backend(model, "auto", "cpu", size=SIZE)


@pytest.mark.parametrize("damage", ["cut short", "a flipped byte", "empty", "other version"])
def test_an_unusable_cache_is_made_anew_and_said(
    model_file, loaded_before, monkeypatch, conversions, damage
):
    path = loaded_before
    data = bytearray(path.read_bytes())
    if damage == "cut short":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "a flipped byte":
        data[-7] ^= 255
        path.write_bytes(data)
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        monkeypatch.setattr(graph_cache, "FORMAT", graph_cache.FORMAT + 1)
    made = load(model_file)
    expected = "cut short or damaged"
    if damage == "other version":
        expected = f"format {graph_cache.FORMAT - 1} and not {graph_cache.FORMAT}"
    assert "graph made anew" in made.note and expected in made.note
    assert len(conversions) == 1
    new_process(monkeypatch)
    assert "graph from the cache" in load(model_file).note
    assert [file.name for file in path.parent.iterdir()] == [path.name]  # no half-written file


def test_a_cache_that_cannot_be_written_is_said_and_nothing_more(model_file, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    made = load(model_file)
    assert made.backend.name == "openvino" and "could not be kept" in made.note


def test_a_graph_that_disagrees_is_not_kept(model_file, monkeypatch):
    right = checked.OpenVINOBackend.run
    monkeypatch.setattr(
        checked.OpenVINOBackend, "run", lambda self, i, r: right(self, i, r) * np.float32(1.01)
    )
    assert choose_backend(ModelFile(model_file), "auto", "cpu", size=SIZE).backend.name == "torch"
    assert not (graph_cache.cache_folder() / "graphs").exists()


def test_auto_takes_bf16_only_if_road_scenes_keep_their_depth(model_file, monkeypatch):
    if not checked.computes_in("bf16"):
        pytest.skip("this CPU does not compute in bf16")
    right = checked.OpenVINOBackend.run

    def coarse(self, image, radar):
        depth = right(self, image, radar)
        return depth * np.float32(1.05) if self.precision == "bf16" else depth

    monkeypatch.setattr(checked.OpenVINOBackend, "run", coarse)
    made = load(model_file, "auto")
    assert made.backend.precision == "fp32"
    assert "fp32, since" in made.note and "road scenes" in made.note
    new_process(monkeypatch)
    monkeypatch.setattr(checked.OpenVINOBackend, "run", right)
    assert load(model_file, "auto").backend.precision == "fp32"  # the verdict is cached
    GraphCache(ModelFile(model_file).sha256).path.unlink()
    new_process(monkeypatch)
    made = load(model_file, "auto")
    assert made.backend.precision == "bf16" and "bf16 on road scenes" in made.note


def test_auto_on_a_cpu_without_bf16_is_fp32_and_says_so(model_file, monkeypatch):
    monkeypatch.setattr(checked, "computes_in", lambda precision: precision == "fp32")
    made = load(model_file, "auto")
    assert made.backend.precision == "fp32"
    assert "fp32, since this CPU does not compute in bf16" in made.note


def test_the_cache_says_what_made_it(model_file, loaded_before):
    cache = GraphCache(ModelFile(model_file).sha256)
    graph, facts = cache.load()
    assert {port.any_name for port in graph.inputs} == {"image", "radar"}
    assert "mean difference" in json.dumps(facts)
    assert DEPTH == 0


SIGNALLED = """
import faulthandler, gc, os, signal
faulthandler.enable()  # gives the thread a signal stack, as pytest does
from xd_rcdepth_ros.inference import DepthEstimator

signal.signal(signal.SIGUSR1, lambda *_: None)
first, second = (DepthEstimator.load({file!r}, "cpu", "openvino", "fp32", (64, 96)) for _ in "ab")
del first
gc.collect()
del second
gc.collect()
os.kill(os.getpid(), signal.SIGUSR1)
print("alive")
"""


def test_a_signal_after_two_models_are_gone_does_not_kill_the_process(model_file, loaded_before):
    """OpenVINO's Cores restore each other's signal stacks: a Ctrl-C would end in a crash."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    script = SIGNALLED.format(file=str(model_file))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False
    )
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
