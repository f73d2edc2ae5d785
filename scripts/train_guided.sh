#!/bin/sh
# Trains the three guided variants on pairs, one after another, and packs them into one folder of weights.
#
#     scripts/train_guided.sh DATA RUNS [OPTIONS of kind train guided …]
#
# DATA holds lol_train/, lol_rest/, stacks/ and sice/, each with low/ and high/. Stopped, the same command goes on.
# First 10,000 steps of 4 small crops, then for each network 16,000 steps of 2 crops of 384 pixels from there, in two
# cycles of a cosine: about four hours on one to two cores of an AMD EPYC. A network that has seen
# small crops only is 4 dB worse on whole photographs. Published are 100,000 steps or more of 8 crops of 384, the defaults of
# kind train guided.
# Scenes of lol_rest are for training only. OPTIONS are given to every training, after its own, such as --epochs 1 to
# try the script.
set -eu

if [ $# -lt 2 ]; then
    echo "usage: scripts/train_guided.sh DATA RUNS [OPTIONS]" >&2
    exit 2
fi
data=$1
runs=$2
shift 2
python=${PYTHON:-.venv/bin/python}

train() {
    "$python" -m kind train guided --data "lol=$data/lol_train:0.4" --data "rest=$data/lol_rest:0.3:all" \
        --data "stacks=$data/stacks:0.15" --data "sice=$data/sice:0.15" "$@"
}

train --network guided --run "$runs/small-crops" --epochs 50 --steps 200 --batch 4 --patch 192 \
    --learning-rate 8e-4 --validate-epochs 10 "$@"
for network in guided guided-y guided-y-shared; do
    train --network "$network" --run "$runs/$network" --init-from "$runs/small-crops" --init-partly \
        --epochs 160 --schedule-epochs 80 --steps 100 --batch 2 --patch 384 --learning-rate 4e-4 --validate-epochs 10 "$@"
done
"$python" -m kind pack --guided "$runs/guided" --guided-y "$runs/guided-y" \
    --guided-y-shared "$runs/guided-y-shared" --out "$runs/packed"
