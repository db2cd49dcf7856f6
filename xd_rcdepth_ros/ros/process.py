# SPDX-License-Identifier: Apache-2.0
"""How the process of a node begins and ends: one clean end, whatever signals come meanwhile."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions

from xd_rcdepth_ros.errors import ConfigurationError, XDRCDepthError

SIGNAL_PERIOD_S = 0.1
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class ClosableNode(Protocol):
    """A node with something to finish before it is destroyed."""

    def close(self) -> None:
        """Finish it; the ROS context is still there."""


_NodeT = TypeVar("_NodeT", bound=ClosableNode)


def run_node(
    name: str,
    make_node: Callable[[], _NodeT],
    args: list[str] | None = None,
    should_continue: Callable[[_NodeT], bool] = lambda node: True,
) -> int:
    """Run one node; all else as :func:`run_nodes` says.

    Args:
        name: Name of the node, for the log.
        make_node: Makes the node, after rclpy was initialised.
        args: Command line; None for that of the process.
        should_continue: Asked now and then; False ends the node.

    Returns:
        Exit status of the process.
    """
    return run_nodes(name, lambda: [make_node()], args, should_continue)


def run_nodes(
    name: str,
    make_nodes: Callable[[], Iterable[_NodeT]],
    args: list[str] | None = None,
    should_continue: Callable[[_NodeT], bool] = lambda node: True,
) -> int:
    """Run nodes in one thread until SIGINT or SIGTERM, and close them while ROS still works.

    rclpy's own handlers end DDS at once, and a second Ctrl-C would interrupt the closing. Here a
    signal only asks for the end; those that come later change nothing.

    Args:
        name: Name of the process, for the log.
        make_nodes: Makes the nodes, one after another, after rclpy was initialised.
        args: Command line; None for that of the process.
        should_continue: Asked for each node now and then; False ends all.

    Returns:
        Exit status of the process: 1 if the command line or a parameter cannot be used, or a
        callback raised one of this package's errors; else 0.
    """
    signals: list[int] = []
    for number in _SIGNALS:
        signal.signal(number, lambda number, _: signals.append(number))
    nodes: list[_NodeT] = []
    try:
        _initialise(args)
        executor = SingleThreadedExecutor()
        for node in make_nodes():
            nodes.append(node)
            executor.add_node(node)  # type: ignore[arg-type]
        while rclpy.ok() and not signals and all(map(should_continue, nodes)):
            executor.spin_once(timeout_sec=SIGNAL_PERIOD_S)
    except ExternalShutdownException:
        pass
    except XDRCDepthError as error:
        get_logger(name).fatal(str(error))
        return 1
    finally:
        for node in nodes:
            node.close()
            node.destroy_node()  # type: ignore[attr-defined]
        rclpy.try_shutdown()
        for number in _SIGNALS:  # the interpreter gives up handlers while it ends, but keeps this
            signal.signal(number, signal.SIG_IGN)
    return 0


def _initialise(args: list[str] | None) -> None:
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # rcl's errors derive from it; the text ends with C's files
        text = str(error).partition(", at /")[0].replace("failed to initialize rcl: ", "")
        raise ConfigurationError(
            f"the command line cannot be used. {text}. Expected ROS arguments such as "
            "--ros-args -p NAME:=VALUE --params-file FILE -r FROM:=TO."
        ) from error
