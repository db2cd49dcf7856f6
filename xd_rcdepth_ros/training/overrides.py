# SPDX-License-Identifier: Apache-2.0
"""Values that replace those of a run's file: given on a command line or as a parameter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.recordings.bags import find_recordings, read_info

TRAINING_PART = 0.8  # of bags without splits


def sources_of(
    recordings: Sequence[Path | str], topics: str = "", radar_fields: str = ""
) -> dict[str, Any]:
    """Return keys ``train`` and ``validation`` for folders of bags.

    Bags that say their split are taken by it. Where none does, as ``ros2 bag record`` leaves them,
    the first four fifths of each bag's frames are for training and the rest for validation. A
    folder without bags is refused by the run, as those in its file are.

    Raises:
        RecordingError: A bag's metadata is damaged.
    """
    sources: dict[str, Any] = {"train": [], "validation": []}
    for path in recordings:
        wiring = {"path": str(path), "topics": topics, "radar_fields": radar_fields}
        bags = find_recordings(path, missing_ok=True)
        if not bags or any(read_info(bag).get("split") for bag in bags):
            sources["train"].append({**wiring, "split": "train"})
            sources["validation"].append({**wiring, "split": "val"})
        else:
            sources["train"].append({**wiring, "part": [0.0, TRAINING_PART]})
            sources["validation"].append({**wiring, "part": [TRAINING_PART, 1.0]})
    return sources


def settings_of(settings: Sequence[str]) -> dict[str, Any]:
    """Read ``KEY=VALUE`` texts, whose values are YAML; empty ones are left out.

    Raises:
        ConfigurationError: A text has another form.
    """
    values = {}
    for setting in filter(None, settings):
        key, equals, text = setting.partition("=")
        try:
            if not equals or not key.strip():
                raise ValueError("there is no KEY= in it")
            values[key.strip()] = yaml.safe_load(text)
        except (ValueError, yaml.YAMLError) as error:
            raise ConfigurationError(
                f"setting {setting!r}: {error}. Expected KEY=VALUE, such as schedule.steps=2000."
            ) from error
    return values
