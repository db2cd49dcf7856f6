# SPDX-License-Identifier: Apache-2.0
"""Trains the teacher and the student from bags; the same runs serve the command and the node."""
