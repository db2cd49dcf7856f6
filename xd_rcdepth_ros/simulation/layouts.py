# SPDX-License-Identifier: Apache-2.0
"""Writes simulated drives in the folder layouts of Astyx HiRes2019 and ZJU-4DRadarCam.

For tests and for trying out converters; ``nuscenes_layout`` writes the third. A folder appears
under its name only when it is complete.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.geometry import RigidTransform, SensorFrame, rasterize_depth
from xd_rcdepth_ros.simulation.bag import encode_jpeg
from xd_rcdepth_ros.simulation.drive import Drive
from xd_rcdepth_ros.simulation.jobs import ordered

ASTYX_FOLD_MPS = 10.39  # span of the range rates that the Astyx radar reports
ZJU_SCALE = 256.0


@contextmanager
def complete_folder(root: Path) -> Iterator[Path]:
    """Give a hidden folder to fill; it takes the name ``root`` when the block ends well.

    Raises:
        RecordingError: ``root`` exists already.
    """
    if root.exists():
        raise RecordingError(f"{root} exists already; remove it, or choose another folder.")
    hidden = root.parent / f".{root.name}.partial"
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir(parents=True)
    try:
        yield hidden
        hidden.rename(root)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def split_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return names for training and validation: the last fifth, at least one, validates."""
    cut = max(1, len(names) - max(1, len(names) // 5))
    return list(names[:cut]), list(names[cut:])


def write_astyx(drive: Drive, root: str | Path, workers: int = 2) -> None:
    """Write a drive in the layout of Astyx HiRes2019.

    The reference frame is the radar's. Range rates are positive for approaching and folded, as in
    the original; ``Mag`` is the radar cross-section plus 60 dB. Radar and lidar of a frame are
    taken at the picture's stamp.

    Args:
        drive: The drive; an imaging radar and the ``vlp16`` lidar are the closest.
        root: Folder to make.
        workers: Threads.

    Raises:
        RecordingError: The folder exists.
    """
    ref_from_base = drive.rig.radar.inverse()
    calibration = {
        "sensors": [
            {"sensor_uid": "radar_6455", "calib_data": {"T_to_ref_COS": np.eye(4).tolist()}},
            {
                "sensor_uid": "lidar_vlp16",
                "calib_data": {"T_to_ref_COS": (ref_from_base @ drive.rig.lidar).matrix.tolist()},
            },
            {
                "sensor_uid": "camera_front",
                "calib_data": {
                    "T_to_ref_COS": (ref_from_base @ drive.rig.camera).matrix.tolist(),
                    "K": drive.camera.k.tolist(),
                },
            },
        ]
    }
    names = [f"{index:06d}" for index in range(drive.settings.frames)]
    train, val = split_names(names)
    folders = {"camera_front": "jpg", "radar_6455": "txt", "lidar_vlp16": "txt"}
    with complete_folder(Path(root)) as folder:
        for name in (*folders, "calibration"):
            (folder / name).mkdir()
        stamps = drive.stamps_ns("camera")

        def write(index: int) -> None:
            stamp, name = int(stamps[index]), names[index]
            image, _ = drive.image(stamp)
            scan, sweep = drive.radar(stamp), drive.lidar(stamp)
            rate = -scan.range_rate_mps  # approaching counts positive here
            half = ASTYX_FOLD_MPS / 2
            folded = np.mod(rate + half, ASTYX_FOLD_MPS) - half
            mag = scan.points.rcs_dbsm + 60
            radar = np.column_stack([scan.points.position_m, folded, mag])
            xyz = sweep.points_m
            order = np.arange(len(xyz))
            lidar = np.column_stack([xyz, np.round(sweep.intensity), sweep.ring, order])
            (folder / "camera_front" / f"{name}.jpg").write_bytes(encode_jpeg(image))
            _save_text(folder / "radar_6455" / f"{name}.txt", "\nX Y Z V_r Mag", radar, "%.3f")
            _save_text(
                folder / "lidar_vlp16" / f"{name}.txt",
                "X Y Z Reflectivity LaserID Timestamp ",
                lidar,
                "%.2f %.2f %.2f %d %d %d",
            )
            text = json.dumps(calibration, indent=1)
            (folder / "calibration" / f"{name}.json").write_text(text)

        for _ in ordered(write, range(len(names)), workers):
            pass
        index = {
            str(int(name)): {
                "calibration": f"calibration/{name}.json",
                **{key: f"{key}/{name}.{suffix}" for key, suffix in folders.items()},
            }
            for name in names
        }
        (folder / "dataset.json").write_text(json.dumps({"data": index}, indent=1))
        (folder / "train.txt").write_text("\n".join(train) + "\n")
        (folder / "val.txt").write_text("\n".join(val) + "\n")


def _save_text(path: Path, header: str, rows: NDArray[Any], form: str) -> None:
    with path.open("w") as file:
        file.write(header + "\n")
        np.savetxt(file, rows, fmt=form)


def write_zju(drive: Drive, root: str | Path, workers: int = 2) -> None:
    """Write a drive in the layout of ZJU-4DRadarCam, with a ``calibration.json`` beside it.

    Radar comes as (u, v, depth) of the newest sweep, lidar as a 16-bit depth picture of the
    nearest sweep, and ``gt_interp`` is the exact depth.

    Args:
        drive: The drive.
        root: Folder to make.
        workers: Threads.

    Raises:
        RecordingError: The folder exists.
    """
    stamps = drive.stamps_ns("camera")
    names = [f"{stamp // 1_000_000_000}.{stamp % 1_000_000_000:09d}" for stamp in stamps]
    held = max(1, len(names) // 10)  # the last two tenths, at least a frame each
    train, val, test = names[: -2 * held], names[-2 * held : -held], names[-held:]
    if not train:
        raise RecordingError(f"{len(names)} frames do not make three splits; 3 are needed.")
    camera_from_base = drive.rig.camera.inverse()
    calibration = {
        "width": drive.camera.width,
        "height": drive.camera.height,
        "K": drive.camera.k.tolist(),
        "T_camera_radar": (camera_from_base @ drive.rig.radar).matrix.tolist(),
        "T_camera_lidar": (camera_from_base @ drive.rig.lidar).matrix.tolist(),
    }
    with complete_folder(Path(root)) as folder:
        for name in ("image", "radar", "radar_png", "gt", "gt_interp"):
            (folder / name).mkdir()

        def write(index: int) -> None:
            frame = drive.frame(index)
            name = f"{names[index]}"
            _save_png(folder / "image" / f"{name}.png", frame.image[..., ::-1])
            pixels = radar_pixels(frame)
            np.save(folder / "radar" / f"{name}.npy", pixels)
            points = frame.camera.unproject(pixels[:, :2], pixels[:, 2])
            _save_depth(folder / "radar_png" / f"{name}.png", rasterize_depth(points, frame.camera))
            _save_depth(folder / "gt" / f"{name}.png", frame.lidar_depth())
            assert frame.depth_m is not None
            _save_depth(folder / "gt_interp" / f"{name}.png", frame.depth_m)

        for _ in ordered(write, range(len(names)), workers):
            pass
        (folder / "calibration.json").write_text(json.dumps(calibration, indent=1))
        for split, members in (("train", train), ("val", val), ("test", test), ("full", names)):
            (folder / f"{split}.txt").write_text("\n".join(members) + "\n")


def radar_pixels(frame: SensorFrame) -> NDArray[np.float64]:
    """Return the first sweep's returns in the image, (N, 3) float64: u, v (pixels), depth (m)."""
    sweep = frame.radar[0]
    uv, depth = frame.camera.project(sweep.camera_from_radar.apply(sweep.points.position_m))
    size = np.array([frame.camera.width, frame.camera.height])
    with np.errstate(invalid="ignore"):
        inside = (depth > 1) & ((uv >= 0) & (uv < size - 0.5)).all(1)
    return np.column_stack([uv[inside], depth[inside]])


def _save_depth(path: Path, depth_m: NDArray[np.floating]) -> None:
    values = np.nan_to_num(depth_m, nan=0.0) * ZJU_SCALE
    _save_png(path, np.where(values < 65535, np.round(values), 0).astype(np.uint16))


def _save_png(path: Path, picture: NDArray[Any]) -> None:
    if not cv2.imwrite(str(path), picture):
        raise RecordingError(f"cannot write {path}. Is the disk full?")


def quaternion_wxyz(transform: RigidTransform) -> list[float]:
    """Return the rotation as nuScenes writes it."""
    x, y, z, w = transform.quaternion_xyzw
    return [float(w), float(x), float(y), float(z)]
