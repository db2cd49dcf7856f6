# SPDX-License-Identifier: Apache-2.0
"""depth_node on another backend than PyTorch: it runs there and says so, or fails by name."""

from __future__ import annotations

import importlib.util
import os

import numpy as np
import pytest

pytestmark = pytest.mark.ros


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="not installed: openvino")
def test_depth_by_openvino_and_saliency_by_its_twin(rig, start_node):
    from sensor_msgs.msg import Image

    node = start_node(
        backend="openvino",
        precision="fp32",
        threads=1,
        saliency__rate=30.0,
        diagnostics__period=0.2,
    )
    assert "on cpu by openvino in fp32" in node.text and "agrees with PyTorch" in node.text
    rig.connect("image", "camera_info", "radar", "tf_static")
    rig.send_static()
    rig.listen("saliency/heatmap", Image)
    status = rig.depth_of_next_frame()
    assert (status.device, status.backend) == ("cpu", "openvino")

    def drawn():
        rig.send_frame()
        return rig.received["saliency/heatmap"]

    rig.wait(drawn, "a saliency map")
    heat = rig.received["saliency/heatmap"][-1]
    assert np.isfinite(np.frombuffer(heat.data, np.float32)).all()
    rig.settled()
    model = rig.diagnostics("model")
    assert (model["backend"], model["precision"], model["threads"]) == ("openvino", "fp32", "1")
    assert model["level"] == "0" and "by openvino" in model["message"]
    assert "mean difference" in model["backend_note"]


def test_an_absent_backend_fails_configure_with_what_to_install(
    rig, start_node, tmp_path, monkeypatch
):
    for name in ("onnx", "openvino"):  # as if neither were installed
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('no {name} on this robot')\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    node = start_node(backend="onnx", wait="configure failed", diagnostics__period=0.2)
    assert "pip install 'xd-rcdepth-ros[onnx]'" in node.text
    rig.wait(lambda: rig.diagnostics("model"), "diagnostics")
    model = rig.diagnostics("model")
    assert (model["state"], model["level"]) == ("unconfigured", "2")
    assert "no onnx on this robot" in model["message"]
    node.stop()
    node = start_node(backend="auto", diagnostics__period=0.2)  # does without
    assert "by torch" in node.text and "auto: PyTorch, since" in node.text
    assert "pip install 'xd-rcdepth-ros[openvino]'" in node.text
