# SPDX-License-Identifier: Apache-2.0
"""The command xd-rcdepth: one small file a verb."""
