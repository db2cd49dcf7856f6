# SPDX-License-Identifier: Apache-2.0
"""The types accepted wherever one or several actions may stand."""

from __future__ import annotations

import collections.abc
from collections.abc import Iterable

from .action import Action

SomeActionsType = Action | Iterable[Action]
SomeActionsType_types_tuple = (Action, collections.abc.Iterable)
