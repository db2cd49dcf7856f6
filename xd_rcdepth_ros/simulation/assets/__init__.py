# SPDX-License-Identifier: Apache-2.0
"""Things that stand beside or move on the road, as meshes made by rule from a random generator."""
