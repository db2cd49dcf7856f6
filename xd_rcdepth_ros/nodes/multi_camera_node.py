# SPDX-License-Identifier: Apache-2.0
"""multi_camera_node: a depth_node for each camera, in one process, with one model in memory.

The command line names the cameras before ROS's arguments: ``multi_camera_node front rear
--ros-args ...``. Each camera's node is ``/<camera>/depth_node``, with its own topics, parameters,
ledger and diagnostics; frames go through the network in the order of their coming.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from functools import partial

from rclpy.utilities import remove_ros_args

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.inference.shared import SharedEstimator
from xd_rcdepth_ros.nodes.depth_node import DepthNode
from xd_rcdepth_ros.ros.memory import prepare_heap
from xd_rcdepth_ros.ros.process import run_nodes


def make_nodes(args: Sequence[str] | None) -> Iterator[DepthNode]:
    """Make the node of each camera.

    Args:
        args: Command line, with the names of the cameras, which become the nodes' namespaces; None
            for that of the process.

    Raises:
        ConfigurationError: A name cannot be a namespace, comes twice, or there is none.
    """
    cameras = remove_ros_args(args)[1:]
    fit = all(re.fullmatch(r"[A-Za-z]\w*(/[A-Za-z]\w*)*", name, re.ASCII) for name in cameras)
    if not cameras or not fit or len(set(cameras)) < len(cameras):
        raise ConfigurationError(
            f"cameras are {cameras}; expected one or more names, each once, of letters, "
            "digits and _: multi_camera_node front rear --ros-args ..."
        )
    for camera in cameras:
        yield DepthNode(SharedEstimator, namespace=f"/{camera}")


def main(args: list[str] | None = None) -> int:
    """Run the nodes until SIGINT or SIGTERM; exit status 1 if a parameter cannot be used."""
    prepare_heap()
    return run_nodes("multi_camera_node", partial(make_nodes, args), args)


if __name__ == "__main__":
    sys.exit(main())
