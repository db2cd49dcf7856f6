# SPDX-License-Identifier: Apache-2.0
"""The page that all reports share, the charts on it, and how it carries its pictures."""
