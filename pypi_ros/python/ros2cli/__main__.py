# SPDX-License-Identifier: Apache-2.0
"""``python -m ros2cli`` is the ``ros2`` command."""

import sys

from .main import main

sys.exit(main())
