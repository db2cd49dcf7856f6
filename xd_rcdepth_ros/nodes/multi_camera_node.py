# SPDX-License-Identifier: Apache-2.0
"""multi_camera_node: a depth_node for each camera, in one process, with one model in memory.

The command line names the cameras before ROS's arguments: ``multi_camera_node front rear
--ros-args ...``. Each camera's node is ``/<camera>/depth_node``, with its own topics, parameters,
ledger and diagnostics; frames go through the network in the order of their coming.
"""

from __future__ import annotations

import re
import sys
from functools import partial

from rclpy.utilities import remove_ros_args

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.inference.shared import SharedEstimator
from xd_rcdepth_ros.nodes.depth_node import DepthNode
from xd_rcdepth_ros.ros.memory import prepare_heap
from xd_rcdepth_ros.ros.process import run_node


class CameraNodes:
    """The nodes of all cameras, which begin and end together.

    Args:
        cameras: Names of the cameras, which become the nodes' namespaces.

    Raises:
        ConfigurationError: A name cannot be a namespace, comes twice, or there is none.
    """

    def __init__(self, cameras: list[str]) -> None:
        wrong = [name for name in cameras if not re.fullmatch(r"[A-Za-z]\w*(/[A-Za-z]\w*)*", name)]
        if wrong or not cameras or len(set(cameras)) < len(cameras):
            raise ConfigurationError(
                f"cameras are {cameras}; expected one or more names, each once, of letters, digits "
                "and _: multi_camera_node front rear --ros-args ..."
            )
        self.nodes: list[DepthNode] = []
        try:
            for camera in cameras:
                self.nodes.append(DepthNode(SharedEstimator, namespace=f"/{camera}"))
        except Exception:
            self.close()
            self.destroy_node()
            raise

    def close(self) -> None:
        """End all threads."""
        for node in self.nodes:
            node.close()

    def destroy_node(self) -> None:
        """Destroy all nodes."""
        for node in self.nodes:
            node.destroy_node()


def main(args: list[str] | None = None) -> int:
    """Run the nodes until SIGINT or SIGTERM; exit status 1 if a parameter cannot be used."""
    prepare_heap()
    command = sys.argv if args is None else args
    cameras = remove_ros_args(command)[1:]
    return run_node("multi_camera_node", partial(CameraNodes, cameras), args)


if __name__ == "__main__":
    sys.exit(main())
