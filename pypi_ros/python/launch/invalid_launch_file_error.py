# SPDX-License-Identifier: Apache-2.0
"""The error of files that are no launch files."""


class InvalidLaunchFileError(Exception):
    """A file that cannot be understood as a launch file."""
