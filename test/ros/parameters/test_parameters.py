# SPDX-License-Identifier: Apache-2.0
"""The parameter table: its checks, and that files and documents agree with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.ros.parameters.configuration import NodeConfig, radar_names
from xd_rcdepth_ros.ros.parameters.table import (
    MARKERS,
    PARAMETERS,
    RADAR_FIELDS,
    insert_table,
    render_table,
    specs,
)

REPOSITORY = Path(__file__).resolve().parents[3]


def defaults(radars=("front",)) -> dict:
    values = {spec.name: spec.default for spec in specs(radars)}
    return {**values, "radars": radars}


def test_defaults_are_allowed():
    config = NodeConfig.from_values(defaults(("front", "left")))
    assert config.radars == ("front", "left")
    assert config.sync_window == 0.1 and config.network_size == (0, 0)
    assert config.radar_inputs["left"].fields["rcs"] == "rcs"


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
        NodeConfig.from_values({**defaults(), name: value})
    text = str(caught.value)
    assert name in text and expected in text


@pytest.mark.parametrize(("name", "value"), [("sweeps", 3), ("sync.on_missing_radar", "hold")])
def test_a_history_of_sweeps_needs_the_cameras_policy(name, value):
    values = {**defaults(), "sync.policy": "approximate"}
    assert NodeConfig.from_values(values).sync_policy == "approximate"
    with pytest.raises(ConfigurationError, match=rf"{name} = {value} .* sync.policy: camera"):
        NodeConfig.from_values({**values, name: value})


def test_every_parameter_is_a_field_of_the_configuration_and_the_other_way_round():
    names = {spec.name.replace(".", "_") for spec in PARAMETERS}
    assert names | {"radar_inputs"} == set(NodeConfig.__dataclass_fields__)


def test_every_parameter_says_what_it_does_and_numbers_have_a_range():
    for spec in specs(("front",)):
        assert spec.description.endswith((".", ")")), spec.name
        if spec.type_name.startswith(("int", "double")):
            assert spec.low is not None and spec.high is not None, spec.name
        spec.check(spec.default)


def test_every_parameter_is_set_by_a_test_of_its_effect():
    """By its name, or by the name that the tests over DDS give it."""
    here = Path(__file__)
    texts = [f.read_text() for f in sorted(here.parent.rglob("test_*.py")) if f != here]
    texts += [f.read_text() for f in sorted((REPOSITORY / "test" / "inference").glob("*.py"))]
    everything = "\n".join(texts)
    for spec in PARAMETERS:
        names = {f'"{spec.name}"', f"{spec.name.replace('.', '__')}=", f"{spec.name}:="}
        assert any(name in everything for name in names), f"no test sets {spec.name}"


def test_no_radar_is_written_as_an_empty_name():
    assert radar_names([""]) == ()
    assert NodeConfig.from_values({**defaults(()), "radars": ("",)}).radar_inputs == {}


def test_default_file_has_every_parameter_with_its_default():
    content = yaml.safe_load((REPOSITORY / "config" / "default.yaml").read_text())
    written = content["/**"]["ros__parameters"]
    expected = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in defaults().items()
    }
    assert written == expected


@pytest.mark.parametrize(
    "file", sorted((REPOSITORY / "config").glob("*.yaml")), ids=lambda f: f.name
)
def test_every_configuration_file_is_allowed(file):
    written = yaml.safe_load(file.read_text())["/**"]["ros__parameters"]
    radars = tuple(written.get("radars", ("front",)))
    unknown = set(written) - set(defaults(radars))
    assert not unknown
    NodeConfig.from_values({**defaults(radars), **written})


def test_table_lists_every_parameter_once():
    table = render_table()
    for spec in PARAMETERS:
        assert table.count(f"| `{spec.name}` |") == 1
    for role in RADAR_FIELDS:
        assert f"`radar.<radar>.fields.{role}`" in table


def test_table_goes_between_the_markers():
    document = f"before\n{MARKERS[0]}\nof yesterday\n{MARKERS[1]}\nafter\n"
    once = insert_table(document)
    assert "yesterday" not in once and once.startswith("before") and once.endswith("after\n")
    assert insert_table(once) == once
    with pytest.raises(ConfigurationError, match="lacks the lines"):
        insert_table("no markers")


@pytest.mark.parametrize("name", ["docs/node.md", "README.md"])
def test_documents_carry_the_table_of_today(name):
    file = REPOSITORY / name
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    if MARKERS[0] not in text:
        assert name != "docs/node.md", "docs/node.md must carry the parameter table"
        pytest.skip(f"{name} carries no parameter table")
    assert insert_table(text) == text, f"run python -m xd_rcdepth_ros.ros.parameters.table {name}"
