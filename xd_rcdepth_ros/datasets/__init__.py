# SPDX-License-Identifier: Apache-2.0
"""Data sets turned into recordings: nuScenes, ZJU-4DRadarCam, Astyx; plan, convert, check."""
