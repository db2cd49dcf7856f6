# SPDX-License-Identifier: Apache-2.0
"""The depth node's parameters: one table, and what is made of it."""
