# SPDX-License-Identifier: Apache-2.0
"""xd-rcdepth <verb>: looks up the verb's file, and turns errors into exit statuses.

Exit status: 0 done, 1 failed (the reason is on standard error), 2 bad usage, 130 interrupted.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from xd_rcdepth_ros import __version__
from xd_rcdepth_ros.errors import XDRCDepthError

# A verb's module has its name and holds `app`, a typer application. It is imported only when the
# verb is called, so that `--help` waits neither for torch nor for typer.
VERBS = {
    "benchmark": "latency and throughput a stage and a backend",
    "convert": "nuScenes, ZJU-4DRadarCam or Astyx to rosbag2",
    "demo": "a drive through the depth node over real ROS 2, with an illustrated report",
    "describe": "parameters, compute, inputs and licence of a model",
    "doctor": "what is installed, what would run, and why no depth comes out",
    "evaluate": "a model's depth errors on bags: table, JSON, report with pictures",
    "export": "a model as ONNX, OpenVINO or torch.export, checked against PyTorch",
    "predict": "one image and one radar file to depth PNG, NPY and overlays",
    "robustness": "a model's depth errors under faults of radar, calibration, time, weather",
    "simulate": "write a synthetic drive with exact depth as rosbag2",
    "train": "teacher or student, direct or distilled, from bags",
    "view": "a bag as one page: camera, radar, depth, from above, errors and times",
}

# What a verb imports beyond the package's own needs -> the extra of pip that brings it.
EXTRAS = {
    "embreex": "simulate",
    "lightning": "train",
    "onnx": "export",
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "tensorboardX": "train",
}


def usage() -> str:
    """Return the help text of the command."""
    width = max(map(len, VERBS))
    lines = [f"  {verb:<{width}}  {text}" for verb, text in VERBS.items()]
    return "\n".join(
        [
            f"xd-rcdepth {__version__}: metric depth from one camera and automotive radar.",
            "",
            "Usage: xd-rcdepth <verb> [options]      xd-rcdepth <verb> --help",
            "",
            *lines,
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        arguments: Command line without the program's name; None takes it from the process.

    Returns:
        The exit status.
    """
    verb, *rest = [*(sys.argv[1:] if arguments is None else arguments), ""]
    rest = rest[:-1] if rest else rest
    if verb in ("", "-h", "--help"):
        sys.stdout.write(usage() + "\n")
        return 0 if verb else 2
    if verb == "--version":
        sys.stdout.write(f"{__version__}\n")
        return 0
    if verb not in VERBS:
        sys.stderr.write(f"xd-rcdepth: no verb {verb!r}; there are {', '.join(VERBS)}.\n")
        return 2
    try:
        app = importlib.import_module(f"xd_rcdepth_ros.cli.{verb}").app
        app(rest, prog_name=f"xd-rcdepth {verb}")
    except SystemExit as end:
        # What Ctrl-C ends with depends on the version of typer: 130 in silence, or 1.
        if _is_interruption(end):
            return _report_interruption(verb)
        return end.code if isinstance(end.code, int) else 1
    except XDRCDepthError as error:
        sys.stderr.write(f"xd-rcdepth {verb}: {error}\n")
        return 1
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        sys.stderr.write(
            f"xd-rcdepth {verb}: {error.name} is not installed: pip install "
            f"'xd-rcdepth-ros[{extra}]'.\n"
        )
        return 1
    except OSError as error:
        if error.filename is None:
            raise
        sys.stderr.write(f"xd-rcdepth {verb}: {error.strerror}: {error.filename}\n")
        return 1
    except KeyboardInterrupt:
        return _report_interruption(verb)
    return 0


def _is_interruption(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _report_interruption(verb: str) -> int:
    sys.stderr.write(f"xd-rcdepth {verb}: interrupted\n")
    return 130


if __name__ == "__main__":
    sys.exit(main())
