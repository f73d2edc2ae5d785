#!/bin/sh
# Trains the three guided variants on pairs, one after another, and packs them into one folder of weights.
#
#     scripts/train_guided.sh DATA RUNS [OPTIONS of kind train guided …]
#
# DATA holds lol_train/, lol_rest/, stacks/ and sice/, each with low/ and high/. Stopped, the same command goes on.
# The default is 10,000 steps of 4 crops of 192 pixels for each network, about 50 minutes on one core, 70 for guided-y.
# Published are 100,000 steps or more of 8 crops of 384: --epochs 500 --batch 8 --patch 384 --learning-rate 4e-4.
# The networks that predict the brightness start from the weights of `guided`. Scenes of lol_rest are for training only.
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
    network=$1
    shift
    "$python" -m kind train guided --network "$network" --run "$runs/$network" \
        --data "lol=$data/lol_train:0.4" --data "rest=$data/lol_rest:0.3:all" \
        --data "stacks=$data/stacks:0.15" --data "sice=$data/sice:0.15" \
        --epochs 50 --steps 200 --batch 4 --patch 192 --learning-rate 8e-4 --validate-epochs 10 "$@"
}
train guided "$@"
for network in guided-y guided-y-shared; do
    train "$network" --init-from "$runs/guided" --init-partly "$@"
done
"$python" -m kind pack --guided "$runs/guided" --guided-y "$runs/guided-y" \
    --guided-y-shared "$runs/guided-y-shared" --out "$runs/packed"
