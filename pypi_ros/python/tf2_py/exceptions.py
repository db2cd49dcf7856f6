# SPDX-License-Identifier: Apache-2.0
"""Why a transform cannot be given."""


class TransformException(Exception):
    """Any failure of a transform look-up; the others derive from it."""


class LookupException(TransformException):
    """A frame is not known to the buffer."""


class ConnectivityException(TransformException):
    """The frames are known but do not belong to one tree."""


class ExtrapolationException(TransformException):
    """The time asked for lies outside the stored data."""


class InvalidArgumentException(TransformException):
    """The question is malformed: an empty frame name, or one that starts with a slash."""


class TimeoutException(TransformException):
    """No answer came within the time-out."""
