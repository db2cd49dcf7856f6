# SPDX-License-Identifier: Apache-2.0
"""A small data set in nuScenes' schema, made on the spot."""

import json

import cv2
import numpy as np
import pytest

from xd_rcdepth_ros.recordings.pcd import encode_pcd

RADAR_DTYPE = np.dtype(
    [
        ("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("dyn_prop", "i1"), ("id", "<i2"),
        ("rcs", "<f4"), ("vx", "<f4"), ("vy", "<f4"), ("vx_comp", "<f4"), ("vy_comp", "<f4"),
        ("is_quality_valid", "i1"), ("ambig_state", "i1"), ("x_rms", "i1"), ("y_rms", "i1"),
        ("invalid_state", "i1"), ("pdh0", "i1"), ("vx_rms", "i1"), ("vy_rms", "i1"),
    ]
)  # fmt: skip
CHANNELS = {
    "CAM_FRONT": 83,
    "RADAR_FRONT": 77,
    "LIDAR_TOP": 50,
    "CAM_BACK": 83,
    "RADAR_BACK_LEFT": 77,
}


def jpeg(rng, width=64, height=48):
    image = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (width, height))
    return cv2.imencode(".jpg", image)[1].tobytes()


def radar_points(rng, count):
    points = np.zeros(count, RADAR_DTYPE)
    for name in RADAR_DTYPE.names:
        kind = RADAR_DTYPE[name].kind
        points[name] = rng.uniform(-9, 9, count) if kind == "f" else rng.integers(0, 8, count)
    points["x"] = rng.uniform(5, 60, count)
    points["ambig_state"] = rng.integers(0, 5, count)
    return points


def quaternion(rng, spread):
    """Return a rotation (w, x, y, z) by an angle of that size, radians, about a random axis."""
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    return [float(np.cos(spread / 2)), *(float(v) for v in np.sin(spread / 2) * axis)]


def make_nuscenes(root, scenes=("scene-0061",), seconds=0.6, channels=None, seed=0, key_every=3):
    """Write a tree in nuScenes' schema with random content; return the tables."""
    rng = np.random.default_rng(seed)
    channels = list(channels or ("CAM_FRONT", "RADAR_FRONT", "LIDAR_TOP"))
    tables = {
        name: []
        for name in (
            "scene", "sample", "sample_data", "ego_pose", "calibrated_sensor", "sensor", "log",
            "map", "sample_annotation", "instance", "category", "attribute", "visibility",
        )
    }  # fmt: skip
    tables["log"].append({"token": "log", "logfile": "log", "vehicle": "v", "date_captured": "",
                          "location": "here"})  # fmt: skip
    optical = [0.5, -0.5, 0.5, -0.5]
    for channel in channels:
        kind = {"C": "camera", "R": "radar", "L": "lidar"}[channel[0]]
        tables["sensor"].append({"token": f"s-{channel}", "channel": channel, "modality": kind})
        tables["calibrated_sensor"].append(
            {
                "token": f"c-{channel}",
                "sensor_token": f"s-{channel}",
                "translation": rng.uniform(-2, 2, 3).tolist(),
                "rotation": optical if kind == "camera" else quaternion(rng, 0.3),
                "camera_intrinsic": [[50.0, 0, 31.5], [0, 52.0, 23.5], [0, 0, 1]]
                if kind == "camera"
                else [],
            }
        )
    start = 1_532_402_927_000_000
    for number, name in enumerate(scenes):
        first = start + number * 20_000_000
        samples = [f"{name}-k{i}" for i in range(int(seconds * 2) + 1)]
        for i, token in enumerate(samples):
            tables["sample"].append(
                {"token": token, "timestamp": first + i * 500_000, "scene_token": name,
                 "prev": samples[i - 1] if i else "",
                 "next": samples[i + 1] if i + 1 < len(samples) else ""}
            )  # fmt: skip
        tables["scene"].append(
            {"token": name, "log_token": "log", "name": name, "nbr_samples": len(samples),
             "first_sample_token": samples[0], "last_sample_token": samples[-1],
             "description": "Night, light rain, parked cars"}
        )  # fmt: skip
        for channel in channels:
            stamps = range(first, first + int(seconds * 1e6), CHANNELS[channel] * 1000)
            for i, timestamp in enumerate(stamps):
                key = i % key_every == 0
                folder = "samples" if key else "sweeps"
                suffix = {"C": "jpg", "R": "pcd", "L": "pcd.bin"}[channel[0]]
                filename = f"{folder}/{channel}/{name}__{channel}__{timestamp}.{suffix}"
                path = root / filename
                path.parent.mkdir(parents=True, exist_ok=True)
                if suffix == "jpg":
                    path.write_bytes(jpeg(rng))
                elif suffix == "pcd":
                    path.write_bytes(encode_pcd(radar_points(rng, int(rng.integers(5, 30)))))
                else:
                    points = rng.uniform(-20, 20, (200, 5)).astype("<f4")
                    points[:, 4] = rng.integers(0, 32, 200)
                    path.write_bytes(points.tobytes())
                token = f"{name}-{channel}-{i}"
                t = (timestamp - first) / 1e6
                tables["ego_pose"].append(
                    {"token": token, "timestamp": timestamp,
                     "translation": [600.0 + 12.0 * t, 1600.0 + 2.0 * t * t, 0.1 * t],
                     "rotation": [float(np.cos(0.2 + 0.1 * t)), 0.0, 0.0,
                                  float(np.sin(0.2 + 0.1 * t))]}
                )  # fmt: skip
                sample = samples[min(len(samples) - 1, round((timestamp - first) / 500_000))]
                tables["sample_data"].append(
                    {"token": token, "sample_token": sample, "ego_pose_token": token,
                     "calibrated_sensor_token": f"c-{channel}", "timestamp": timestamp,
                     "fileformat": suffix.split(".")[0], "is_key_frame": key,
                     "width": 64 if suffix == "jpg" else 0,
                     "height": 48 if suffix == "jpg" else 0,
                     "filename": filename, "prev": "", "next": ""}
                )  # fmt: skip
    (root / "maps").mkdir()
    (root / "maps" / "m.png").write_bytes(cv2.imencode(".png", np.zeros((2, 2)))[1].tobytes())
    tables["map"].append(
        {"token": "m", "log_tokens": ["log"], "category": "", "filename": "maps/m.png"}
    )
    write_tables(root, tables)
    return tables


def write_tables(root, tables, version="v1.0-mini"):
    (root / version).mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        (root / version / f"{name}.json").write_text(json.dumps(rows, indent=0))


@pytest.fixture
def nuscenes_tree(tmp_path):
    """Return a function that makes a small tree under tmp_path and returns (root, tables)."""

    def make(**options):
        root = tmp_path / "nuscenes"
        return root, make_nuscenes(root, **options)

    return make


@pytest.fixture
def rewrite_tables():
    return write_tables


@pytest.fixture
def random_radar():
    return radar_points


@pytest.fixture
def random_jpeg():
    return jpeg
