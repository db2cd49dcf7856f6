# SPDX-License-Identifier: Apache-2.0
"""The distillation node's parts: parameters, status, the thread that trains."""
