# SPDX-License-Identifier: Apache-2.0
"""Which radar sweeps belong to which image."""
