# SPDX-License-Identifier: Apache-2.0
"""Between ROS 2 and the method: messages, synchronisation, transforms, parameters, diagnostics."""
