# SPDX-License-Identifier: Apache-2.0
"""The teacher's answers come back as they were put, and never those of another question."""

import torch

from xd_rcdepth_ros.distillation import ExplanationConfig, StudentObjective, TeacherReference
from xd_rcdepth_ros.training.references import ReferenceStore

KEYS = [(0, 3, 1), (0, 4, 0)]
CPU = torch.device("cpu")


def answers():
    return TeacherReference(torch.rand(2, 1, 8, 8) * 50, {"decoder_8": torch.rand(2, 1, 1, 1)})


def test_answers_come_back(tmp_path):
    store = ReferenceStore(tmp_path, "teacher", StudentObjective())
    assert store.get(KEYS, CPU) is None
    put = answers()
    store.put(KEYS, put)
    got = store.get(KEYS[::-1], CPU)
    torch.testing.assert_close(got.depth_m.flip(0), put.depth_m, rtol=1e-3, atol=0)
    torch.testing.assert_close(
        got.maps["decoder_8"].flip(0), put.maps["decoder_8"], rtol=1e-3, atol=1e-3
    )
    assert store.get([(0, 3, 1), (0, 9, 0)], CPU) is None


def test_another_question_finds_no_answer(tmp_path):
    ReferenceStore(tmp_path, "teacher", StudentObjective()).put(KEYS, answers())
    assert ReferenceStore(tmp_path, "other", StudentObjective()).get(KEYS, CPU) is None
    near = StudentObjective(explanations=ExplanationConfig(target="near"))
    assert ReferenceStore(tmp_path, "teacher", near).get(KEYS, CPU) is None
    # Depth does not depend on how explanations are made.
    depth_only = ReferenceStore(tmp_path, "teacher", StudentObjective(explanation=0))
    assert depth_only.get(KEYS, CPU).maps == {}


def test_a_damaged_answer_is_asked_for_again(tmp_path):
    store = ReferenceStore(tmp_path, "teacher", StudentObjective())
    store.put(KEYS, answers())
    for file in tmp_path.rglob("*.npy"):
        file.write_bytes(file.read_bytes()[:50])
    assert store.get(KEYS, CPU) is None
