#!/bin/sh
# Trains change detection on pairs made of photographs, once on reflectance and once on raw pixels, and packs the first.
#
#     scripts/train_change.sh DATA RUNS [OPTIONS of kind train change …]
#
# DATA holds coco128/ and vehicles/, photographs with YOLO labels, and stacks/high/, photographs. Stopped, the same
# command goes on. Of each 16 photographs of a folder three are never trained on: kind evaluate change tests on them.
set -eu

if [ $# -lt 2 ]; then
    echo "usage: scripts/train_change.sh DATA RUNS [OPTIONS]" >&2
    exit 2
fi
data=$1
runs=$2
shift 2
python=${PYTHON:-.venv/bin/python}

for input in ${INPUTS:-reflectance raw}; do
    "$python" -m kind train change --run "$runs/change-$input" --input "$input" \
        --data "$data/coco128" "$data/vehicles" "$data/stacks/high" \
        --epochs 20 --steps 100 --batch 8 --patch 160 --validate-epochs 2 --plateau 3 "$@"
done
if [ -f "$runs/change-reflectance/best.keras" ]; then
    "$python" -m kind pack --change "$runs/change-reflectance" --out "$runs/packed-change"
fi
