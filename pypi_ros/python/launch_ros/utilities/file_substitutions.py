# SPDX-License-Identifier: Apache-2.0
"""Substitutions written as text, ``$(var name)``, in parameter files."""

from __future__ import annotations

import re

import yaml
from launch import LaunchContext
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, SubstitutionFailure

_PATTERN = re.compile(r"\$\((?P<kind>[\w-]+)\s+(?P<rest>[^()]*)\)")


def replace_substitutions(context: LaunchContext, text: str, origin: str) -> str:
    """Return a YAML text with its substitutions replaced.

    Args:
        context: The launch context.
        text: YAML with ``$(var name [default])``, ``$(env NAME [default])`` or
            ``$(find-pkg-share package)``.
        origin: Where it comes from, for errors.

    Raises:
        SubstitutionFailure: A substitution is unknown or fails, or the result is no YAML.
    """

    def replace(match: re.Match[str]) -> str:
        kind = match["kind"]
        name, _, default = match["rest"].strip().partition(" ")
        fallback = default.strip().strip("'\"") or None
        if kind == "var":
            return LaunchConfiguration(name, default=fallback).perform(context)
        if kind in ("env", "optenv"):
            if kind == "optenv":
                fallback = fallback or ""
            return EnvironmentVariable(name, default_value=fallback).perform(context)
        if kind == "find-pkg-share":
            from ..substitutions import FindPackageShare

            return FindPackageShare(name).perform(context)
        raise SubstitutionFailure(
            f"{origin}: $({kind} ...) is not known; expected var, env, optenv or find-pkg-share "
            "(the ROS package 'launch' knows more)"
        )

    replaced = _PATTERN.sub(replace, text)
    try:
        yaml.safe_load(replaced)
    except yaml.YAMLError as error:
        raise SubstitutionFailure(f"{origin} is no YAML once substituted: {error}") from error
    return replaced
