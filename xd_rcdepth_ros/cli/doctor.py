# SPDX-License-Identifier: Apache-2.0
"""xd-rcdepth doctor: what is installed, what would run, and why no depth comes out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Optional

import typer
from rich.console import Console
from rich.text import Text

from xd_rcdepth_ros import __version__
from xd_rcdepth_ros.cli.options import DEVICE, JSON_FILE, MODEL
from xd_rcdepth_ros.cli.output import write_json
from xd_rcdepth_ros.inference import share_folder
from xd_rcdepth_ros.inference.installation import Finding, find_backend, find_gpus, find_packages
from xd_rcdepth_ros.ros_environment import fast_dds_profile

app = typer.Typer(add_completion=False)
COLOURS = {"ok": "green", "note": "cyan", "warning": "yellow", "problem": "red"}


def find_middleware(environment: Mapping[str, str]) -> Finding:
    """Return how this shell's ROS talks: distribution, domain, profile for large messages."""
    text = (
        f"ROS {environment.get('ROS_DISTRO', 'from PyPI')}, domain "
        f"{environment.get('ROS_DOMAIN_ID', '0')}, "
        f"{environment.get('RMW_IMPLEMENTATION', 'default middleware')}"
    )
    if "fast" not in environment.get("RMW_IMPLEMENTATION", "fast"):
        return Finding("middleware", "ok", text)
    profile = share_folder() / "config" / "fastdds_large_messages.xml"
    ((name, file),) = fast_dds_profile(environment, profile).items()
    if name in environment:
        there = Path(file).is_file()
        end = "" if there else ": there is no such file"
        return Finding("middleware", "ok" if there else "problem", f"{text}; {name}={file}{end}")
    return Finding(
        "middleware",
        "warning",
        f"{text}; Fast DDS loses messages above 0.5 MB without a profile. The launch files name "
        f"one for what they start; for other nodes: export {name}={file}",
    )


def find_graph(topics: Mapping[str, str], seconds: float) -> list[Finding]:
    """Return what the running graph is like, or why it cannot be looked at."""
    if find_spec("rclpy") is None:
        text = "not installed in this environment: offline tools only, topics are not looked at"
        return [Finding("ROS", "note", text)]
    found = find_middleware(os.environ)
    # Listen as the launch files' nodes do, so that large images are heard.
    profile = share_folder() / "config" / "fastdds_large_messages.xml"
    os.environ.update(fast_dds_profile(os.environ, profile))
    try:
        from xd_rcdepth_ros.ros.doctor import examine_graph
    except ImportError as error:
        text = f"cannot be imported: {error}. Source ROS and the workspace, or run make setup"
        return [found, Finding("ROS", "problem", text)]
    return [found, *examine_graph(topics, seconds)]


@app.command()
def doctor(
    image: str = typer.Option("", help="Image topic to look at instead of the running node's."),
    camera_info: str = typer.Option("", help="Its camera_info."),
    radar: list[str] = typer.Option(
        [], help="Topic of radar clouds (PointCloud2); may be repeated."
    ),
    seconds: float = typer.Option(4.0, min=0.5, help="How long to listen."),
    model: Optional[Path] = MODEL,
    device: str = DEVICE,
    json_file: Optional[Path] = JSON_FILE,
) -> None:
    """Say what is installed, which backend would run, and how topics, QoS and TF are.

    Run it beside the node when no depth comes out. Exit status 1 if there is a problem.
    """
    image_type = "CompressedImage" if image.endswith("/compressed") else "Image"
    types = {image: image_type, camera_info: "CameraInfo", **dict.fromkeys(radar, "PointCloud2")}
    named = {f"/{t.lstrip('/')}": f"sensor_msgs/msg/{kind}" for t, kind in types.items() if t}
    findings = [
        Finding("version", "ok", f"xd_rcdepth_ros {__version__}"),
        find_packages(),
        find_gpus(),
        find_backend(model, device),
        *find_graph(named, seconds),
    ]
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        label = Text(f"{finding.level:8}", style=COLOURS[finding.level])
        console.print(label + Text(f"{finding.subject}: {finding.text}"))
    problems, warnings = (
        sum(f.level == level for f in findings) for level in ("problem", "warning")
    )
    console.print(
        f"\nproblems: {problems}, warnings: {warnings}",
        style="bold red" if problems else "bold yellow" if warnings else "bold green",
    )
    if json_file is not None:
        write_json(json_file, {"findings": [asdict(f) for f in findings], "problems": problems})
    if problems:
        raise typer.Exit(1)
