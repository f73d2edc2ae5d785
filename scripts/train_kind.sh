#!/usr/bin/env bash
# Trains the three networks and the exposure head for photographs by the recipe of the weights that ship
# (docs/training.md says how these came about): hours on two cores; run it again to resume.
# usage: scripts/train_kind.sh DATA START RUNS [FLAG ...]
#   DATA   folder with lol_train, lol_rest, stacks, sice, coco128 and vehicles (docs/mixture.md says what they hold)
#   START  folder with decom, restoration and illumination trained on LOL (docs/training.md), which these runs begin with;
#          the exposure head begins with the light network that ships
#   RUNS   folder for the run folders; `kind enhance --variant kind --weights RUNS` uses them
#   FLAG   given to every run, after its own, such as --epochs 1 to try the script
set -euo pipefail
data=$1 start=$2 runs=$3
shift 3
python=${PYTHON:-.venv/bin/python}

mixture=(--data "lol=$data/lol_train:0.2" --data "lol_rest=$data/lol_rest:0.14:all" --data "stacks=$data/stacks:0.16"
  --data "sice=$data/sice:0.1" --data "photographs=$data/coco128:0.24" --data "vehicles=$data/vehicles:0.16")
# The same with more backlit twins.
backlit=(--data "lol=$data/lol_train:0.17" --data "lol_rest=$data/lol_rest:0.12:all" --data "stacks=$data/stacks:0.15"
  --data "sice=$data/sice:0.1" --data "photographs=$data/coco128:0.2" --data "vehicles=$data/vehicles:0.13"
  --data "backlit=$data/coco128:0.07:backlit" --data "backlit_vehicles=$data/vehicles:0.06:backlit")

run() { # STAGE FOLDER [FLAG ...]
  local stage=$1 folder=$2
  shift 2
  "$python" train_stage.py "$stage" --run "$runs/$folder" --schedule cosine "$@"
}

run decom decom "${mixture[@]}" --init-from "$start/decom" --epochs 9 --steps 200 --batch 8 --patch 64 --learning-rate 4e-4 \
  --clip-norm 1.0 --average-decay 0.99 --similarity-weight 0.3 --mutual-weight 0.2 --validate-epochs 9 "$@"
# What follows sees dark images under the light that they lack.
run restoration restoration "${mixture[@]}" --decom "$runs/decom" --init-from "$start/restoration" --epochs 40 --steps 60 \
  --batch 8 --patch 96 --target-power 1 --learning-rate 3e-4 --clip-norm 0.5 --average-decay 0.99 --precision bfloat16 \
  --decode-side 320 "$@"
run exposure exposure_first "${mixture[@]}" --decom "$runs/decom" --init-from kind/weights/lite.keras --init-partly --epochs 16 \
  --steps 50 --batch 32 --learning-rate 5e-4 --average-decay 0.99 --decode-side 320 --validate-epochs 4 "$@"
run exposure exposure "${backlit[@]}" --decom "$runs/decom" --init-from "$runs/exposure_first" --epochs 8 --steps 50 \
  --batch 32 --learning-rate 3e-4 --average-decay 0.99 --decode-side 320 --validate-epochs 2 "$@"
run illumination illumination "${mixture[@]}" --decom "$runs/decom" --init-from "$start/illumination" --epochs 6 --steps 100 \
  --patch 64 --learning-rate 3e-4 --decode-side 320 --validate-epochs 3 "$@"
