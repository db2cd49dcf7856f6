# SPDX-License-Identifier: Apache-2.0
"""Take the encoders out of a student's model file, for a teacher with encoders of the same kind.

    git show b1fee02:models/student.safetensors > out/weights/first_student.safetensors
    python experiments/small_grid/student_encoders.py out/weights/first_student.safetensors

That student was trained directly on the sparse lidar of the same training split.
"""

import argparse
from pathlib import Path

from safetensors.torch import load_file, save_file


def main() -> None:
    """Write <name>_image_encoder.safetensors and <name>_radar_encoder.safetensors beside it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    model = parser.parse_args().model
    weights = load_file(model)
    for name in ("image_encoder", "radar_encoder"):
        part = {
            key.removeprefix(f"{name}."): value.float().contiguous()
            for key, value in weights.items()
            if key.startswith(f"{name}.")
        }
        file = model.with_name(f"{model.stem}_{name}.safetensors")
        save_file(part, file)
        print(f"{file}: {len(part)} tensors")


if __name__ == "__main__":
    main()
