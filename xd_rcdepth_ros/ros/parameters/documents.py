# SPDX-License-Identifier: Apache-2.0
"""The parameter tables as files: config/default.yaml and docs/parameters.md.

``python -m xd_rcdepth_ros.ros.parameters.documents`` writes them anew, in the working directory.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from xd_rcdepth_ros.ros.parameters.configuration import NodeConfig
from xd_rcdepth_ros.ros.parameters.radars import radar_specs
from xd_rcdepth_ros.ros.parameters.spec import ParameterSpec
from xd_rcdepth_ros.ros.parameters.table import NodeParameters
from xd_rcdepth_ros.ros.training.parameters import TrainingParameters

_DOCUMENT = """\
# Parameters

Generated from the tables in `xd_rcdepth_ros/ros/parameters/table.py`, `radars.py` and
`xd_rcdepth_ros/ros/training/parameters.py` by `python -m xd_rcdepth_ros.ros.parameters.documents`.

*May change*: `live`, and it holds from the next frame on; `unconfigured`, while no model is loaded
(no run is configured); `start`, only at the start of the process. A change that is not allowed is
refused as a whole, with the reason. A whole number is taken where a double is meant. A name that
the node does not know is warned of in the log, with the nearest that it knows.

## depth_node

`config/default.yaml` holds all of them with their defaults, for a radar named `front`; each is an
argument of the same name of `depth.launch.py` too, but for those of single radars.

{depth}

## distillation_node

Each is an argument of the same name of `distill.launch.py` too.

{training}
"""


def render_document() -> str:
    """Return docs/parameters.md."""
    depth = (*NodeParameters.specs(), *radar_specs(["<radar>"]))
    return _DOCUMENT.format(
        depth=render_table(depth), training=render_table(TrainingParameters.specs())
    )


def render_table(specs: Iterable[ParameterSpec]) -> str:
    """Return parameters as a table in Markdown."""
    lines = [
        "| parameter | type | default | allowed | unit | may change | what it does |",
        "|---|---|---|---|---|---|---|",
    ]
    for spec in specs:
        cells = (
            f"`{spec.name}`",
            spec.type_name,
            f"`{_yaml(spec.default)}`",
            spec.allowed.replace("|", "\\|"),
            spec.unit,
            spec.change,
            spec.text,
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def render_defaults() -> str:
    """Return config/default.yaml."""
    lines = [
        "# SPDX-License-Identifier: Apache-2.0",
        "# All parameters of depth_node with their defaults; docs/parameters.md has their ranges.",
        "/**:",
        "  ros__parameters:",
    ]
    for spec in NodeConfig.specs():
        lines += textwrap.wrap(
            spec.description, 100, initial_indent="    # ", subsequent_indent="    # "
        )
        lines.append(f"    {spec.name}: {_yaml(spec.default)}")
    return "\n".join(lines) + "\n"


def _yaml(value: Any) -> str:
    """Return a value as YAML, which takes JSON for what these are."""
    return json.dumps(list(value) if isinstance(value, tuple) else value)


if __name__ == "__main__":
    Path("docs/parameters.md").write_text(render_document(), encoding="utf-8")
    Path("config/default.yaml").write_text(render_defaults(), encoding="utf-8")
