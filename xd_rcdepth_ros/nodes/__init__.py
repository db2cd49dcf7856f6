# SPDX-License-Identifier: Apache-2.0
"""The nodes: thin, each wires the parts of ``xd_rcdepth_ros.ros`` together."""
