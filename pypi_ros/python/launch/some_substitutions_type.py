# SPDX-License-Identifier: Apache-2.0
"""The types accepted wherever a launch file may write text or a substitution."""

from __future__ import annotations

import collections.abc
from collections.abc import Iterable
from pathlib import Path

from .substitution import Substitution

SomeSubstitutionsType = str | Path | Substitution | Iterable[str | Path | Substitution]
SomeSubstitutionsType_types_tuple = (str, Path, Substitution, collections.abc.Iterable)
