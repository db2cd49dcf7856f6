#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The teacher of the road, the student trained directly and the distilled one, on one CUDA device: three
# runs of BUDGET_S seconds each, and a short one that measures how many steps these are.
#
#   python experiments/encoder_weights.py --half
#   python experiments/road/pack.py experiments/road/student.yaml out/road/packed --megabytes 22
#   experiments/road/gpu.sh out/road/packed out/road/gpu
#
# The first two want the bags; what they write and this repository are all that the device's machine needs,
# besides PyTorch, Lightning and the packages of requirements/python.txt. To try it without a device:
#
#   DEVICE=cpu STEPS=12 BATCH=2 WORKERS=0 PRECISION=32-true experiments/road/gpu.sh out/road/packed out/road/try
#
# Model files come out in parts of PART_MB megabytes: cat teacher.safetensors.* > teacher.safetensors
set -euo pipefail
cd "$(dirname "$0")/../.."

packed=${1:-out/road/packed} out=${2:-out/road/gpu}
device=${DEVICE:-cuda} batch=${BATCH:-32} workers=${WORKERS:-$(($(nproc) - 1))}
budget_s=${BUDGET_S:-140} precision=${PRECISION:-bf16-mixed} part_mb=${PART_MB:-15}
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}

# train NAME STEPS [OPTION...]: a run of packed/NAME.yaml
train() {
    local name=$1 steps=$2
    shift 2
    python3 -m xd_rcdepth_ros.cli.main train "$packed/$name.yaml" --output "$out/runs/$name" \
        --json "$out/$name.json" --set "accelerator=$device" --set "precision=$precision" \
        --set "workers=$workers" --set "schedule.batch_size=$batch" --set "schedule.steps=$steps" \
        --set "schedule.validate_every=$((steps / 2 > 0 ? steps / 2 : 1))" "$@"
}

# steps NAME [OPTION...]: how many steps of it fit into the budget
steps() {
    [ -n "${STEPS:-}" ] && { echo "$STEPS"; return; }
    train "$1" 60 --no-resume "${@:2}" --set schedule.validate_every=60 >&2
    python3 - "$out/$1.json" "$budget_s" "$batch" <<'PYTHON'
import json, sys
file, budget_s, batch = sys.argv[1:]
print(max(60, int(float(budget_s) * json.load(open(file))["samples_per_s"] / int(batch))))
PYTHON
}

mkdir -p "$out"
teacher=$out/runs/teacher/teacher.safetensors
train teacher "$(steps teacher)" --no-resume
train student "$(steps student)" --no-resume
train distilled "$(steps distilled --teacher "$teacher")" --no-resume --teacher "$teacher"
for name in teacher student distilled; do
    file=$out/runs/$name/${name/distilled/student}.safetensors
    split --bytes="${part_mb}M" --numeric-suffixes "$file" "$out/$name.safetensors."
done
ls -l "$out"
