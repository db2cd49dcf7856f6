# SPDX-License-Identifier: Apache-2.0
"""Helpers for namespaces, remappings and parameters."""

from .namespaces import (
    is_namespace_absolute,
    is_root_namespace,
    make_namespace_absolute,
    normalize_remap_rule,
    normalize_remap_rules,
    prefix_namespace,
)
from .parameters import check_parameters, evaluate_parameter_dict, evaluate_parameters

__all__ = [
    "check_parameters",
    "evaluate_parameter_dict",
    "evaluate_parameters",
    "is_namespace_absolute",
    "is_root_namespace",
    "make_namespace_absolute",
    "normalize_remap_rule",
    "normalize_remap_rules",
    "prefix_namespace",
]
