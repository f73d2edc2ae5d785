#!/bin/sh
# Trains the three guided variants on pairs, one after another, and packs them into one folder of weights.
#
#     scripts/train_guided.sh DATA RUNS [OPTIONS of kind train guided …]
#
# DATA holds lol_train/, lol_rest/, stacks/ and sice/, each with low/ and high/. Stopped, the same command goes on.
# The default is 60 epochs of 200 steps of 8 crops of 256 pixels for each network; published are 100,000 steps or
# more of crops of 384, which --epochs 500 --patch 384 gives. Scenes of lol_rest are for training only.
set -eu

if [ $# -lt 2 ]; then
    echo "usage: scripts/train_guided.sh DATA RUNS [OPTIONS]" >&2
    exit 2
fi
data=$1
runs=$2
shift 2
python=${PYTHON:-.venv/bin/python}

for network in guided guided-y guided-y-shared; do
    "$python" -m kind train guided --network "$network" --run "$runs/$network" \
        --data "lol=$data/lol_train:0.4" --data "rest=$data/lol_rest:0.3:all" \
        --data "stacks=$data/stacks:0.15" --data "sice=$data/sice:0.15" \
        --epochs 60 --steps 200 --batch 8 --patch 256 --validate-epochs 5 "$@"
done
"$python" -m kind pack --guided "$runs/guided" --guided-y "$runs/guided-y" \
    --guided-y-shared "$runs/guided-y-shared" --out "$runs/packed"
