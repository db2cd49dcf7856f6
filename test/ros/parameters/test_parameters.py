# SPDX-License-Identifier: Apache-2.0
"""The parameter table: its checks, and that files and documents agree with it."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.recordings.pointcloud import RadarFieldMap
from xd_rcdepth_ros.ros.parameters.configuration import NodeConfig
from xd_rcdepth_ros.ros.parameters.documents import render_defaults, render_document
from xd_rcdepth_ros.ros.parameters.radars import RADAR_FIELDS, radar_names
from xd_rcdepth_ros.ros.parameters.spec import specs_by_field
from xd_rcdepth_ros.ros.parameters.table import NodeParameters
from xd_rcdepth_ros.ros.training.parameters import TrainingParameters

REPOSITORY = Path(__file__).resolve().parents[3]


def test_defaults_are_allowed():
    config = NodeConfig.from_values({"radars": ("front", "left")})
    assert config.radars == ("front", "left")
    assert config.sync_window == 0.1 and config.network_size == (0, 0)
    assert config.radar_inputs["left"].fields == RadarFieldMap()


def test_every_field_of_a_cloud_is_a_parameter():
    assert list(RADAR_FIELDS) == [field.name for field in fields(RadarFieldMap)]


def test_values_are_taken_in_the_parameters_own_type():
    """An integer is a double where one is meant; lists become tuples; an empty list is no text."""
    config = NodeConfig.from_values(
        {"depth.max": 60, "saliency.region": [0, 0, 1, 0.5], "radars": None, "threads": 2}
    )
    assert config.depth_max == 60.0 and isinstance(config.depth_max, float)
    assert config.saliency_region == (0.0, 0.0, 1.0, 0.5)
    assert (config.radars, config.radar_inputs, config.threads) == ((), {}, 2)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("depth.max", "far", "double, 0.1 to 1000"),
        ("depth.max", True, "double, 0.1 to 1000"),
        ("threads", 1.5, "int, 0 to 256"),
        ("rectify", 1, "bool"),
        ("model_file", 7, "string"),
        ("radars", "front", "string[]"),
        ("network_size", 352, "int[]"),
        ("radars", ("front", 1), "string[]"),
    ],
)
def test_a_value_of_another_type_is_refused(name, value, expected):
    with pytest.raises(ConfigurationError, match=re.escape(f"parameter {name} = ")) as caught:
        NodeConfig.from_values({name: value})
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("depth.max", "60", 60.0),
        ("threads", "4", 4),
        ("rectify", "false", False),
        ("fixed_frame", "map", "map"),
        ("fixed_frame", "''", ""),
        ("model_file", "/models/with space.safetensors", "/models/with space.safetensors"),
        ("network_size", "352, 704", (352, 704)),
        ("network_size", "[352,704]", (352, 704)),
        ("saliency.region", "0,0.5,1,1", (0.0, 0.5, 1.0, 1.0)),
        ("radars", "front, rear", ("front", "rear")),
        ("radars", "['front', 'rear']", ("front", "rear")),
        ("radars", "''", ("",)),
    ],
)
def test_texts_of_a_command_line_become_values(name, text, value):
    (spec,) = (spec for spec in NodeConfig.specs() if spec.name == name)
    assert spec.parse(text) == value


def test_a_text_that_is_no_value_is_refused():
    (spec,) = (spec for spec in NodeConfig.specs() if spec.name == "sync.window")
    for text in ("wide", "[", "1, 2"):
        with pytest.raises(ConfigurationError, match=r"sync\.window = .* expected double"):
            spec.parse(text)


def test_an_unknown_parameter_is_explained():
    """navigation2 and others: a misspelt name in a params file is ignored without a word."""
    config = NodeConfig.from_values({})
    known = [spec.name for spec in NodeConfig.specs()]
    assert "did you mean sync.window?" in config.explain_unknown("sync.windw", known)
    assert "fields.rcs?" in config.explain_unknown("radar.front.field.rcs", known)
    assert "does not name left" in config.explain_unknown("radar.left.fields.rcs", known)
    assert config.explain_unknown("qqq", known).endswith("has no effect.")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("device", "gpu", "auto, cpu, cuda or cuda:N"),
        ("backend", "tensorflow", "auto | torch | openvino | onnx"),
        ("sweeps", 0, "1 to 20"),
        ("sync.window", float("nan"), "0.001 to 2"),
        ("depth.encoding", "mono8", "32FC1 | 16UC1"),
        ("radars", ("front", "fro nt"), "letters, digits and _"),
        ("radars", ("front", "front"), "twice"),
        ("radar.front.type", "laser_scan", "point_cloud2 | radar_scan | radar_tracks"),
        ("network_size", (352, 0), "multiples of 32"),
        ("network_size", (100, 200), "multiples of 32"),
        ("network_size", (352,), "multiples of 32"),
        ("depth.min", 100.0, "must be less than depth.max"),
        ("points.min_height", 1000.0, "must be less than points.max_height"),
        ("depth.max_error", 0.0, "0.01 to 10"),
        ("sync.hold_time", 0.01, "must not be less than"),
        ("saliency.region", (0.5, 0.0, 0.4, 1.0), "left < right"),
        ("saliency.region", (0.5, 1.0), "left < right"),
        ("saliency.method", "lime", "grad_cam | grad_cam_pp | gradient_x_input"),
        ("saliency.share", 0.0, "0.01 to 1"),
        ("attribution.method", "shap", "gradient_x_input | leave_one_out"),
        ("sync.policy", "exact", "camera | approximate"),
    ],
)
def test_what_is_not_allowed_is_refused_with_name_value_and_expectation(name, value, expected):
    with pytest.raises(ConfigurationError) as caught:
        NodeConfig.from_values({name: value})
    text = str(caught.value)
    assert name in text and expected in text


@pytest.mark.parametrize(("name", "value"), [("sweeps", 3), ("sync.on_missing_radar", "hold")])
def test_a_history_of_sweeps_needs_the_cameras_policy(name, value):
    values = {"sync.policy": "approximate"}
    assert NodeConfig.from_values(values).sync_policy == "approximate"
    with pytest.raises(ConfigurationError, match=rf"{name} = {value} .* sync.policy: camera"):
        NodeConfig.from_values({**values, name: value})


def test_a_dot_in_a_name_is_an_underscore_in_the_field():
    for table in (NodeParameters, TrainingParameters):
        for field, spec in specs_by_field(table).items():
            assert field == spec.name.replace(".", "_")


def test_every_parameter_says_what_it_does_and_numbers_have_a_range():
    for spec in (*NodeConfig.specs(), *TrainingParameters.specs()):
        assert spec.text.endswith((".", ")")), spec.name
        if spec.type_name.startswith(("int", "double")):
            assert spec.limits is not None and spec.limits[0] < spec.limits[1], spec.name
        assert spec.read({}) == spec.default


def test_every_parameter_is_set_by_a_test_of_its_effect():
    """By its name, or by the name that the tests over DDS give it."""
    here = Path(__file__)
    texts = [f.read_text() for f in sorted(here.parents[1].rglob("test_*.py")) if f != here]
    texts += [f.read_text() for f in sorted((REPOSITORY / "test" / "inference").glob("*.py"))]
    everything = "\n".join(texts)
    for spec in NodeParameters.specs():
        names = {f'"{spec.name}"', f"{spec.name.replace('.', '__')}=", f"{spec.name}:="}
        assert any(name in everything for name in names), f"no test sets {spec.name}"


def test_no_radar_is_written_as_an_empty_name():
    assert radar_names([""]) == ()
    assert NodeConfig.from_values({"radars": ("",)}).radar_inputs == {}


def test_default_file_has_every_parameter_with_its_default():
    content = yaml.safe_load((REPOSITORY / "config" / "default.yaml").read_text())
    written = content["/**"]["ros__parameters"]
    expected = {
        spec.name: list(spec.default) if isinstance(spec.default, tuple) else spec.default
        for spec in NodeConfig.specs()
    }
    assert written == expected


# For nodes of other packages; test/ros/complaints/test_wiring.py reads them.
NOT_OURS = {"nav2.yaml", "pointcloud_to_laserscan.yaml"}
OURS = sorted(f for f in (REPOSITORY / "config").glob("*.yaml") if f.name not in NOT_OURS)


@pytest.mark.parametrize("file", OURS, ids=lambda f: f.name)
def test_every_configuration_file_is_allowed(file):
    written = yaml.safe_load(file.read_text())["/**"]["ros__parameters"]
    assert not set(written) - {spec.name for spec in NodeConfig.specs(written)}
    NodeConfig.from_values(written)


def test_document_lists_every_parameter_once():
    text = render_document()
    for spec in (*NodeParameters.specs(), *TrainingParameters.specs()):
        assert text.count(f"| `{spec.name}` |") == 1 + (spec.name == "autostart")
    for role in RADAR_FIELDS:
        assert f"`radar.<radar>.fields.{role}`" in text


@pytest.mark.parametrize(
    ("file", "render"),
    [("docs/parameters.md", render_document), ("config/default.yaml", render_defaults)],
)
def test_generated_files_are_those_of_today(file, render):
    expected = "run python -m xd_rcdepth_ros.ros.parameters.documents"
    assert (REPOSITORY / file).read_text(encoding="utf-8") == render(), expected
