# SPDX-License-Identifier: Apache-2.0
"""The error that ends a command with a message and exit status 1."""


class CommandError(RuntimeError):
    """What was wrong, as a sentence for the person at the terminal."""
