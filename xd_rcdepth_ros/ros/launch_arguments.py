# SPDX-License-Identifier: Apache-2.0
"""What the launch files share: arguments made from a parameter table, and values of a params file.

Each parameter of a node is an argument of the same name. One that is not given is not passed on,
so that the params file decides, and after it the node's default.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml
from launch.actions import DeclareLaunchArgument, LogInfo, SetEnvironmentVariable
from launch.launch_context import LaunchContext
from launch.launch_description_entity import LaunchDescriptionEntity

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.ros.parameters.spec import ParameterSpec
from xd_rcdepth_ros.ros_environment import fast_dds_profile

USE_SIM_TIME = ParameterSpec(
    "use_sim_time", False, "Take the time from /clock (ros2 bag play --clock)."
)

_LAUNCH_ROS = ("ros_", "global_")  # launch_ros keeps namespaces and remappings beside arguments


class LaunchArguments:
    """The arguments of a launch file: its own, and one for each parameter of its node.

    Args:
        own: Name, default (None: must be given) and description of its own arguments.
        specs: The node's parameters.
    """

    def __init__(
        self, own: Sequence[tuple[str, str | None, str]], specs: Sequence[ParameterSpec]
    ) -> None:
        self._own, self._specs = own, (*specs, USE_SIM_TIME)

    def declare(self) -> list[DeclareLaunchArgument]:
        """Return the declarations."""
        described = {name: (default, text) for name, default, text in self._own}
        for spec in self._specs:
            if spec.name not in described:
                described[spec.name] = ("", f"{spec.description} Takes: {spec.expected}.")
        return [
            DeclareLaunchArgument(name, default_value=default, description=text)
            for name, (default, text) in described.items()
        ]

    def texts(self, context: LaunchContext) -> dict[str, str]:
        """Return what is given for the launch file's own arguments."""
        return {name: context.launch_configurations[name] for name, _, _ in self._own}

    def parameters(self, context: LaunchContext) -> dict[str, Any]:
        """Return the parameters that are given, by name.

        Raises:
            ConfigurationError: A text is no value of its parameter's type.
        """
        texts = context.launch_configurations
        given = [spec for spec in self._specs if texts[spec.name]]
        values = {spec.name: spec.parse(texts[spec.name]) for spec in given}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}

    @staticmethod
    def split_transport(image: str, parameters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return the base topic of the images, and the parameter that its end stands for, if any.

        Raises:
            ConfigurationError: The topic is one of compressed images, but raw ones are asked for.
        """
        base = image.removesuffix("/compressed")
        if base == image:
            return image, {}
        if parameters.get("image_transport") == "raw":
            raise ConfigurationError(
                f"image:={image} is a topic of compressed images, but image_transport is "
                "raw; leave one of them out."
            )
        return base, {"image_transport": "compressed"}

    def warnings(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return a message for each given argument that looks like a misspelt one."""
        known = {name for name, _, _ in self._own} | {spec.name for spec in self._specs}
        near = {
            name: get_close_matches(name, sorted(known), n=1, cutoff=0.75)
            for name in sorted(set(context.launch_configurations) - known)
            if not name.startswith(_LAUNCH_ROS)
        }
        return [
            LogInfo(msg=f"[WARN] argument {name} is not known; did you mean {matches[0]}?")
            for name, matches in near.items()
            if matches
        ]


def name_fast_dds_profile(share: Path) -> list[SetEnvironmentVariable]:
    """Return what lets large images through; ``share`` is the folder with ``config`` in it."""
    profile = share / "config" / "fastdds_large_messages.xml"
    return [
        SetEnvironmentVariable(name, value)
        for name, value in fast_dds_profile(os.environ, profile).items()
    ]


def values_in_file(file: str, node: str) -> dict[str, Any]:
    """Return the parameters that a params file gives to a node.

    Args:
        file: YAML file; sections may be nested and may hold the wildcards * and **.
        node: Full name of the node.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    try:
        content = yaml.safe_load(Path(file).expanduser().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(
            f"params_file {file} cannot be read: {error}. Expected a YAML file with "
            "'/**: ros__parameters: ...'."
        ) from error
    values: dict[str, Any] = {}
    for section, parameters in _sections(content, ""):
        if fnmatch(node, section.replace("/**", "/*")):
            values |= dict(_flat(parameters, ""))
    return values


def profile_parameters(folder: Path, profile: str, radar: str) -> dict[str, Any]:
    """Return the parameters of a radar that a profile of its driver gives.

    Args:
        folder: Folder of the profiles.
        profile: Name of the profile.
        radar: Name of the radar.

    Raises:
        ConfigurationError: There is no such profile.
    """
    known = sorted(file.stem for file in folder.glob("*.yaml"))
    if profile not in known:
        raise ConfigurationError(
            f"radar_profile is {profile!r}; expected one of {', '.join(known)}. Other drivers need "
            f"radar.{radar}.fields.* in params_file."
        )
    content = yaml.safe_load((folder / f"{profile}.yaml").read_text(encoding="utf-8"))
    return dict(_flat({f"radar.{radar}": content}, ""))


def _sections(content: Any, name: str) -> Iterator[tuple[str, Any]]:
    for key, value in content.items() if isinstance(content, Mapping) else ():
        if key == "ros__parameters":
            yield name, value
        else:
            yield from _sections(value, f"{name}/{str(key).strip('/')}")


def _flat(parameters: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in parameters.items() if isinstance(parameters, Mapping) else ():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
