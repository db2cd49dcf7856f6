# SPDX-License-Identifier: Apache-2.0
"""pip install of the part without ROS; colcon builds from CMakeLists.txt instead."""

import os
import shutil

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithShare(build_py):
    """Lays into the package what colcon installs in share/: model, configuration, viewers."""

    def run(self):
        super().run()
        if not getattr(self, "editable_mode", False):
            for source, target in self._shared_files():
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copyfile(source, target)

    def get_outputs(self, include_bytecode=True):
        return [*super().get_outputs(include_bytecode), *(t for _, t in self._shared_files())]

    def _shared_files(self):
        share = os.path.join(self.build_lib, "xd_rcdepth_ros", "share")
        for folder in ("config", "models", "viz"):
            for path, folders, names in os.walk(folder):
                folders.sort()
                for name in sorted(names):
                    yield os.path.join(path, name), os.path.join(share, path, name)


setup(cmdclass={"build_py": BuildWithShare})
