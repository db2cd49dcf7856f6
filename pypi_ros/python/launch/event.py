# SPDX-License-Identifier: Apache-2.0
"""The base class of events."""


class Event:
    """Something that happened while the launched system ran."""

    name = "launch.Event"
