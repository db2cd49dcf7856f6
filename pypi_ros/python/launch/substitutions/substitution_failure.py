# SPDX-License-Identifier: Apache-2.0
"""The error of substitutions."""


class SubstitutionFailure(Exception):
    """A substitution that has no text in the present context."""
