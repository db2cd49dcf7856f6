# SPDX-License-Identifier: Apache-2.0
"""How fast everything is on this machine, in one run: network, stages, the node over DDS."""
