# SPDX-License-Identifier: Apache-2.0
"""CamVid to bags: pictures whose sky is labelled; no depth, no radar, no lidar.

Brostow, Fauqueur, Cipolla, "Semantic object classes in video" (2009), as ``images/`` and
``labels/`` with one class index a pixel, 480 x 360. The pictures are a second of a drive apart.
Their stamps are synthetic, also a second apart, and there are no poses: for every reader the
pictures are independent. Intrinsics are not known either; the focal length is taken as 0.87 of the
width, the principal point in the middle.

The set comes without splits. Of every drive blocks of neighbouring pictures are held back as
``val``, a fifth in all; two pictures on each side of a block belong to no split, so that no
training picture shows what a held-back one shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.datasets.conversion import Converter, DrivePlan
from xd_rcdepth_ros.errors import MessageError, RecordingError
from xd_rcdepth_ros.geometry import NOT_SKY, SKY, UNKNOWN, PinholeCamera, RigidTransform
from xd_rcdepth_ros.recordings import schema
from xd_rcdepth_ros.recordings.images import image_size
from xd_rcdepth_ros.recordings.writer import DriveWriter

FIRST_STAMP_NS = 1_230_768_000_000_000_000  # 2009-01-01, the year of the publication
SPLITS = ("train", "val")
HELD_BACK = 0.2  # share of the pictures
GAP = 2  # pictures left out on each side of a held-back block
STRETCH = 100  # pictures of a drive for each held-back block
_FOCAL_LENGTH = 0.87  # of the width
_SKY_CLASS, _UNLABELLED, _CLASSES = 0, 11, 12
_CAMERA = "front"
# x forward, y left, z up -> z forward, x right, y down
_BASE_FROM_CAMERA = RigidTransform(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.zeros(3))


@dataclass
class CamVidPlan(DrivePlan):
    """Pictures of one split as a bag; ``frames`` holds name and stamp of each."""

    root: Path
    name: str
    frames: tuple[tuple[str, int], ...]
    info: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return 2 * len(self.frames)

    def write(self, writer: DriveWriter, tick: Callable[[], None]) -> Counter[str]:
        """Write the pictures and their sky; see ``DrivePlan.write``."""
        writer.static_transform(schema.BASE_FRAME, schema.camera_frame(_CAMERA), _BASE_FROM_CAMERA)
        for name, stamp_ns in self.frames:
            path = picture_file(self.root, name)
            data = path.read_bytes()
            camera = camera_of_picture(data, path)
            writer.camera_info(_CAMERA, stamp_ns, camera)
            writer.image(_CAMERA, stamp_ns, data, "png" if path.suffix == ".png" else "jpeg")
            tick()
            writer.sky(_CAMERA, stamp_ns, read_sky(label_file(self.root, name), camera))
            tick()
        return Counter()

    def stamps(self) -> dict[str, list[int]]:
        """Return the stamps of pictures and masks; see ``DrivePlan.stamps``."""
        stamps = [stamp_ns for _, stamp_ns in self.frames]
        topics = (schema.image_topic(_CAMERA), schema.sky_topic(_CAMERA))
        return {topic: list(stamps) for topic in topics}

    def source_images(self) -> Iterator[tuple[str, int, bytes]]:
        """Yield the pictures on disk, and the masks; see ``DrivePlan.source_images``."""
        for name, stamp_ns in self.frames:
            path = picture_file(self.root, name)
            data = path.read_bytes()
            yield schema.image_topic(_CAMERA), stamp_ns, data
            sky = read_sky(label_file(self.root, name), camera_of_picture(data, path))
            yield schema.sky_topic(_CAMERA), stamp_ns, sky.tobytes()

    def source_lidar(self, stamp_ns: int) -> NDArray[np.float64] | None:
        """Return None: there is no lidar."""
        return None


def picture_file(root: Path, name: str) -> Path:
    """Return the file of a picture, JPEG if there is one, else PNG."""
    jpeg = root / "images" / f"{name}.jpg"
    return jpeg if jpeg.is_file() else jpeg.with_suffix(".png")


def label_file(root: Path, name: str) -> Path:
    """Return the file of a picture's classes."""
    return root / "labels" / f"{name}.png"


def camera_of_picture(data: bytes, path: Path) -> PinholeCamera:
    """Return the assumed camera of a picture from the bytes of its file.

    Raises:
        RecordingError: The bytes are no picture.
    """
    try:
        width, height = image_size(data, str(path))
    except MessageError as error:
        raise RecordingError(str(error)) from error
    focal_px = _FOCAL_LENGTH * width
    return PinholeCamera.from_focal(
        width, height, focal_px, focal_px, (width - 1) / 2, (height - 1) / 2,
        frame_id=schema.camera_frame(_CAMERA),
    )  # fmt: skip


def read_sky(path: Path, camera: PinholeCamera) -> NDArray[np.uint8]:
    """Return the sky mask (H, W) uint8 of a file of classes; unlabelled pixels are unknown.

    Raises:
        RecordingError: The file is missing or damaged, has another size than the picture, or holds
            classes that are not known.
    """
    if not path.is_file():
        raise RecordingError(f"there is no {path}; every picture needs its classes.")
    classes = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if classes is None or classes.ndim != 2 or classes.max() >= _CLASSES:
        raise RecordingError(
            f"{path} is no picture of one class a pixel, 0 to {_CLASSES - 1}. Colours must be "
            "turned into class indices first."
        )
    if classes.shape != (camera.height, camera.width):
        raise RecordingError(
            f"{path} is {classes.shape[1]} x {classes.shape[0]}, but its picture is "
            f"{camera.width} x {camera.height}; expected one class for each pixel."
        )
    sky = np.full(classes.shape, NOT_SKY, np.uint8)
    sky[classes == _SKY_CLASS] = SKY
    sky[classes == _UNLABELLED] = UNKNOWN
    return sky


def split_drive(count: int) -> list[str | None]:
    """Return the split of each of a drive's pictures, in order; None belongs to no split.

    A block in the middle of about every ``STRETCH`` pictures is held back. A drive too short to
    keep training pictures on both sides of a block is for training as a whole.
    """
    splits: list[str | None] = ["train"] * count
    blocks = max(1, round(count / STRETCH))
    length = round(count / blocks * HELD_BACK)
    if count / blocks < length + 2 * GAP + 2:
        return splits
    for block in range(blocks):
        first = round((block + 0.5) * count / blocks - length / 2)
        splits[first - GAP : first + length + GAP] = [None] * (length + 2 * GAP)
        splits[first : first + length] = ["val"] * length
    return splits


def plan_camvid(root: str | Path, *, split: str | None = None) -> list[CamVidPlan]:
    """Plan CamVid: one bag a split.

    Args:
        root: Folder with ``images`` and ``labels``; a file's name begins with its drive and ``_``.
        split: Only this split, ``train`` or ``val``.

    Raises:
        RecordingError: Something is missing or damaged.
    """
    root = Path(root)
    for folder in ("images", "labels"):
        if not (root / folder).is_dir():
            raise RecordingError(
                f"{root} has no folder '{folder}'; expected CamVid as images and labels."
            )
    if split is not None and split not in SPLITS:
        raise RecordingError(f"CamVid has no split '{split}'; expected {' or '.join(SPLITS)}.")
    names = sorted(p.stem for p in (root / "images").iterdir() if p.suffix in (".jpg", ".png"))
    if not names:
        raise RecordingError(f"{root / 'images'} holds no pictures; expected .jpg or .png.")
    members: list[str | None] = []
    for _, drive in groupby(names, key=lambda name: name.partition("_")[0]):
        members += split_drive(len(list(drive)))
    plans = []
    for one in SPLITS if split is None else (split,):
        frames = tuple(
            (name, FIRST_STAMP_NS + number * 1_000_000_000)
            for number, (name, member) in enumerate(zip(names, members, strict=True))
            if member == one
        )
        if frames:
            info = {
                "source": "camvid",
                "split": one,
                "tags": [],
                "licence": "CC BY-NC 4.0, for non-commercial use",
                "synthetic_stamps": True,
                "options": {"frames": len(frames)},
            }
            plans.append(CamVidPlan(root, f"camvid-{one}", frames, info))
    if not plans:
        raise RecordingError(f"{root} has {len(names)} pictures, too few to hold any back as val.")
    return plans


convert_camvid = Converter(plan_camvid)
