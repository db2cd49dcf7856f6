# SPDX-License-Identifier: Apache-2.0
"""xd-rcdepth predict: one image, one radar file and a calibration to depth and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from xd_rcdepth_ros.cli.options import DEVICE, MODEL, RADAR_FIELDS
from xd_rcdepth_ros.cli.output import write_json
from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.geometry import DepthResult, RadarPoints, RadarSweep, SensorFrame
from xd_rcdepth_ros.inference import (
    DepthEstimator,
    colorize_depth,
    draw_radar,
    overlay_heatmap,
)
from xd_rcdepth_ros.recordings.calibration_file import read_calibration
from xd_rcdepth_ros.recordings.images import decode_image
from xd_rcdepth_ros.recordings.messages import rectify
from xd_rcdepth_ros.recordings.pointcloud import RadarFieldMap
from xd_rcdepth_ros.recordings.radar_files import read_radar_file, read_radar_pixels
from xd_rcdepth_ros.recordings.wiring import parse_radar_fields

app = typer.Typer(add_completion=False)
PNG_UNITS_PER_METRE = 256  # as in the depth files of nuScenes- and ZJU-based work; 0: no depth
PNG_MAX_DEPTH_M = 65535 / PNG_UNITS_PER_METRE


def load_frame(
    image: Path,
    radar: Path | None,
    calibration: Path,
    radar_fields: RadarFieldMap | None = None,
    radar_pixels: bool = False,
) -> SensorFrame:
    """Read one frame from files.

    Args:
        image: JPEG or PNG.
        radar: Radar file; None for no radar.
        calibration: Calibration file.
        radar_fields: Fields of a PCD or CSV; None chooses by known names.
        radar_pixels: The radar file holds u, v (pixels) and depth, as ZJU-4DRadarCam has it.

    Returns:
        The frame, undistorted.

    Raises:
        RecordingError: A file is missing or damaged.
        MessageError: The image is damaged, or its distortion model is not known.
        GeometryError: The calibration describes no camera, or one of another size.
    """
    try:
        data = image.read_bytes()
    except OSError as error:
        raise RecordingError(f"cannot read {image}: {error.strerror or error}.") from error
    pixels = decode_image(data, str(image))
    setup = read_calibration(calibration)
    pixels, camera = rectify(pixels, setup.camera(pixels.shape[1], pixels.shape[0]))
    sweeps: tuple[RadarSweep, ...] = ()
    if radar is not None and radar_pixels:
        table = read_radar_pixels(radar)
        table = table[np.isfinite(table).all(axis=1) & (table[:, 2] > 0)]
        position = setup.camera_from_radar.inverse().apply(
            camera.unproject(table[:, :2], table[:, 2])
        )
        sweeps = (RadarSweep(RadarPoints.from_arrays(position), setup.camera_from_radar),)
    elif radar is not None:
        points = read_radar_file(radar, radar_fields)
        sweeps = (RadarSweep(points, setup.camera_from_radar),)
    return SensorFrame(pixels, camera, sweeps, name=image.name)


def depth_to_png(depth_m: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Return depth (H, W), metres, as PNG values: 256 a metre, 0 where there is none."""
    with np.errstate(invalid="ignore"):
        scaled = np.round(np.clip(depth_m, 0, PNG_MAX_DEPTH_M) * PNG_UNITS_PER_METRE)
    values: NDArray[np.uint16] = np.nan_to_num(scaled).astype(np.uint16)
    return values


def write_results(
    out: Path, frame: SensorFrame, result: DepthResult, saliency: NDArray[np.float32] | None
) -> list[Path]:
    """Write depth and pictures into a folder; each name appears only when complete.

    Returns:
        The files written.
    """
    pictures: dict[str, NDArray[Any]] = {
        "depth.png": depth_to_png(result.depth_m),
        "preview.png": colorize_depth(result.depth_m)[..., ::-1],
        "radar.png": draw_radar(frame.image, frame.radar_raster())[..., ::-1],
    }
    if saliency is not None:
        pictures["saliency.png"] = overlay_heatmap(frame.image, saliency)[..., ::-1]
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name, picture in pictures.items():
        _, encoded = cv2.imencode(".png", picture)
        written.append(_write(out / name, encoded.tobytes()))
    partial = out / ".depth.partial.npy"
    np.save(partial, result.depth_m.astype(np.float32))
    partial.replace(out / "depth.npy")
    return [*written, out / "depth.npy"]


def _write(path: Path, data: bytes) -> Path:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)
    return path


@app.command()
def predict(
    image: Path = typer.Option(..., help="Image, JPEG or PNG."),
    calibration: Path = typer.Option(..., help="Calibration, JSON or YAML; see docs/predict.md."),
    out: Path = typer.Option(..., help="Folder for the results."),
    radar: Optional[Path] = typer.Option(
        None, help="Radar returns: .pcd, .npy, .csv or .txt; see docs/predict.md."
    ),
    radar_fields: str = RADAR_FIELDS,
    radar_pixels: bool = typer.Option(
        False,
        "--radar-pixels",
        help="The .npy holds u, v (pixels) and depth (m), as ZJU-4DRadarCam has it.",
    ),
    model: Optional[Path] = MODEL,
    device: str = DEVICE,
    saliency: bool = typer.Option(
        False, "--saliency", help="Also draw what the depth was read from."
    ),
    json_file: Optional[Path] = typer.Option(
        None, "--json", help="Write what was found to this file."
    ),
) -> None:
    """Estimate the depth of one image, with or without a radar file.

    Writes depth.png (16 bit, 256 a metre, 0 where unknown), depth.npy (float32, metres),
    preview.png and radar.png, all at the image's own size.
    """
    fields = parse_radar_fields(radar_fields)
    frame = load_frame(image, radar, calibration, fields, radar_pixels)
    estimator = DepthEstimator.load(model, device=device)
    result = estimator.estimate(frame, output_size="input")
    files = write_results(out, frame, result, estimator.explain(frame) if saliency else None)
    returns = len(frame.radar[0].points) if frame.radar else 0
    inside = len(result.radar.pixels)
    known = result.depth_m[np.isfinite(result.depth_m)]
    console = Console(stderr=True)
    if returns and not inside:
        console.print(
            f"None of the {returns} radar returns falls into the image: is camera_from_radar the "
            "way from radar to camera, and not the way back?",
            style="yellow",
        )
    depths = np.percentile(known, [5, 50, 95]).tolist() if known.size else []
    Console().print(
        f"{image.name}: {returns} radar returns, {inside} of them in the image; depth 5 / 50 / "
        f"95 %: {' / '.join(f'{d:.1f}' for d in depths)} m",
        highlight=False,
    )
    for file in files:
        console.print(str(file), highlight=False, soft_wrap=True)
    if json_file is not None:
        summary = {
            "image": str(image),
            "radar": None if radar is None else str(radar),
            "returns": returns,
            "returns_in_image": inside,
            "depth_percentiles_5_50_95_m": depths,
            "png_units_per_metre": PNG_UNITS_PER_METRE,
            "files": [str(file) for file in files],
            "timings_ms": dict(result.timings_ms),
            "flags": sorted(result.flags),
            "model": dict(estimator.describe()),
        }
        write_json(json_file, summary)
