# SPDX-License-Identifier: Apache-2.0
"""How well the fast attribution of radar returns ranks them: against leaving each one out.

    python experiments/radar_attribution/measure.py [--model F] [--frames 6]

For simulated frames and each target: the rank correlation of both methods' shares, and how many of
the fifth with the largest effect the fast method has in its own largest fifth. Writes results.json
and results.png beside this script.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from xd_rcdepth_ros.inference import DepthEstimator, shipped_model
from xd_rcdepth_ros.simulation import Drive, DriveSettings


def compare(fast: np.ndarray, exact: np.ndarray) -> tuple[float, float]:
    """Return the rank correlation, and the share of the largest fifth that both have."""
    most = max(1, len(exact) // 5)
    both = set(np.argsort(-fast)[:most]) & set(np.argsort(-exact)[:most])
    return float(spearmanr(fast, exact)[0]), len(both) / most


def plot(results: dict[str, list[dict[str, float]]], file: Path) -> None:
    """Draw the rank correlation of each frame by target."""
    figure = Figure(figsize=(6, 2.5))
    axes = figure.subplots()
    for place, (target, found) in enumerate(results.items()):
        axes.plot([f["rank_correlation"] for f in found], [place] * len(found), "o", label=target)
    axes.set_yticks(range(len(results)), list(results))
    axes.set_xlim(-1, 1)
    axes.set_xlabel("rank correlation with leaving each return out")
    figure.savefig(file, dpi=110, bbox_inches="tight")


def main() -> None:
    """Compare, print, and write the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=shipped_model())
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument(
        "--size", type=int, nargs=2, default=[352, 704], help="of the image, pixels"
    )
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    estimator = DepthEstimator.load(options.model, device="cpu", backend="torch")
    results: dict[str, list[dict[str, float]]] = {"mean": [], "near": []}
    for number in range(options.frames):
        place = ("city", "motorway", "country", "suburb")[number % 4]
        height, width = options.size
        settings = DriveSettings(
            seed=40 + number, place=place, frames=4, height=height, width=width
        )
        drive = Drive(settings)
        frame = drive.frame(3)
        for target, found in results.items():
            start_s = time.perf_counter()
            (fast,) = estimator.attribute_radar(frame, target)
            middle_s = time.perf_counter()
            (exact,) = estimator.attribute_radar(frame, target, method="leave_one_out")
            end_s = time.perf_counter()
            seen = exact > 0
            if seen.sum() < 5:
                continue
            correlation, overlap = compare(fast[seen], exact[seen])
            found.append(
                {
                    "returns": int(seen.sum()),
                    "rank_correlation": round(correlation, 3),
                    "largest_fifth_shared": round(overlap, 3),
                    "fast_s": round(middle_s - start_s, 3),
                    "leave_one_out_s": round(end_s - middle_s, 3),
                }
            )
            print(place, target, found[-1], flush=True)
    summary = {
        target: {key: round(float(np.median([f[key] for f in found])), 3) for key in found[0]}
        for target, found in results.items()
        if found
    }
    print(json.dumps(summary, indent=1))
    document = {"model_sha256": estimator.info.sha256, "median": summary, "frames": results}
    (options.folder / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    plot(results, options.folder / "results.png")


if __name__ == "__main__":
    main()
