# SPDX-License-Identifier: Apache-2.0
"""A recorded drive, replayed through the depth node in processes of their own, and its report."""
