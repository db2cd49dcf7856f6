# SPDX-License-Identifier: Apache-2.0
"""The one family of errors that this package raises on purpose.

Each text says what was wrong, what came, what was expected and what to do.
"""


class XDRCDepthError(Exception):
    """Base of all errors that this package raises on purpose."""


class GeometryError(XDRCDepthError):
    """A camera, pose or point array does not describe a possible measurement."""


class TransformUnavailableError(XDRCDepthError):
    """No transform between two frames is known at the wanted time."""


class CheckpointError(XDRCDepthError):
    """A model file is missing, damaged, too large, or made for another architecture."""


class RecordingError(XDRCDepthError):
    """A recording or data set is missing, damaged, or lacks something that was asked for."""


class MessageError(XDRCDepthError):
    """A ROS message holds values that cannot be understood."""


class ConfigurationError(XDRCDepthError):
    """A parameter, option or configuration file holds a value that is not allowed."""


class TrainingError(XDRCDepthError):
    """A training cannot go on, for example because it diverged."""


class DeviceError(XDRCDepthError):
    """The compute device or backend that was asked for cannot be used."""
