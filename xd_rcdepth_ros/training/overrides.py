# SPDX-License-Identifier: Apache-2.0
"""Values that replace those of a run's file: given on a command line or as a parameter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from xd_rcdepth_ros.errors import ConfigurationError


def sources_of(
    recordings: Sequence[Path | str], topics: str = "", radar_fields: str = ""
) -> dict[str, Any]:
    """Return keys ``train`` and ``validation`` for folders of bags with splits train and val."""
    wiring = {"topics": topics, "radar_fields": radar_fields}
    return {
        key: [{"path": str(path), "split": split, **wiring} for path in recordings]
        for key, split in (("train", "train"), ("validation", "val"))
    }


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
