# SPDX-License-Identifier: Apache-2.0
"""Scores depth by the published protocol, shows where it fails, and how it bears faults."""
