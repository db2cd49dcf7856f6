# SPDX-License-Identifier: Apache-2.0
"""Look pinned packages up in a checkout of https://github.com/pypa/advisory-database.

    python tools/look_up_offline.py CHECKOUT REQUIREMENTS.txt... > report.json

For machines that cannot reach PyPI's vulnerability data. The report has pip-audit's form, for
judge_audit.py; it knows nothing that is newer than the checkout. Needs PyYAML and packaging.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;#]+)")


def pins(files: list[Path]) -> Iterator[tuple[str, str]]:
    """Yield name and version of each exact pin, once."""
    seen = set()
    for file in files:
        for line in file.read_text(encoding="utf8").splitlines():
            match = PIN.match(line.strip())
            if match and match.groups() not in seen:
                seen.add(match.groups())
                yield match[1], match[2]


def affects(affected: dict[str, Any], name: str, version: str) -> bool:
    """Return whether an advisory's entry (OSV form) holds for a version of a package."""
    package = affected.get("package", {})
    if package.get("ecosystem") != "PyPI" or canonicalize_name(package.get("name", "")) != name:
        return False
    if version in affected.get("versions", ()):
        return True
    ranges = [r for r in affected.get("ranges", ()) if r.get("type") == "ECOSYSTEM"]
    return any(in_range(r.get("events", ()), Version(version)) for r in ranges)


def in_range(events: list[dict[str, str]], version: Version) -> bool:
    """Return whether a version lies between what introduced a fault and what mended it."""
    inside = False
    for event in sorted(events, key=_place):
        ((kind, at),) = event.items()
        if kind == "introduced":
            inside = inside or version >= Version(at)
        elif kind == "fixed":
            inside = inside and version < Version(at)
        elif kind == "last_affected":
            inside = inside and version <= Version(at)
    return inside


def _place(event: dict[str, str]) -> Version:
    (at,) = event.values()
    return Version(at)


def look_up(checkout: Path, name: str, version: str) -> dict[str, Any]:
    """Return a package's entry of the report."""
    entry: dict[str, Any] = {"name": name, "version": version, "vulns": []}
    folder = checkout / "vulns" / canonicalize_name(name)
    for file in sorted(folder.glob("*.yaml")):
        advisory = yaml.safe_load(file.read_text(encoding="utf8"))
        try:
            hit = any(
                affects(affected, canonicalize_name(name), version)
                for affected in advisory.get("affected", ())
            )
        except InvalidVersion as error:
            return {"name": name, "version": version, "skip_reason": f"{file.name}: {error}"}
        if hit and not advisory.get("withdrawn"):
            fixed = [
                event["fixed"]
                for affected in advisory["affected"]
                for extent in affected.get("ranges", ())
                for event in extent.get("events", ())
                if "fixed" in event and extent.get("type") == "ECOSYSTEM"
            ]
            entry["vulns"].append({"id": advisory["id"], "fix_versions": fixed})
    return entry


def main(arguments: list[str]) -> int:
    """Write the report to standard output."""
    checkout, *files = map(Path, arguments)
    if not (checkout / "vulns").is_dir() or not files:
        sys.stderr.write(f"{checkout} has no folder vulns, or no requirement file was named.\n")
        return 2
    packages = [look_up(checkout, name, version) for name, version in pins(files)]
    sys.stdout.write(json.dumps({"dependencies": packages}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
