#!/usr/bin/env bash
# Trains the light variant by the recipe of the weights that ship (docs/lite.md says how these came about): hours on
# two cores; run it again to resume.
# usage: scripts/train_lite.sh DATA RUNS [FLAG ...]
#   DATA   folder with lol_train, lol_rest, stacks, sice, coco128 and vehicles (docs/mixture.md says what they hold)
#   RUNS   folder for the run folders; the result is RUNS/detector
#   FLAG   given to every run, after its own, such as --epochs 1 to try the script
set -euo pipefail
data=$1 runs=$2
shift 2
python=${PYTHON:-.venv/bin/python}

run() { # NAME [FLAG ...]
  local name=$1
  shift
  "$python" train_stage.py lite --run "$runs/$name" "$@"
}

mixture=(
  --data "lol=$data/lol_train:0.2" --data "lol_rest=$data/lol_rest:0.14:all" --data "stacks=$data/stacks:0.16"
  --data "sice=$data/sice:0.1" --data "photographs=$data/coco128:0.24" --data "vehicles=$data/vehicles:0.16"
)
noisy_mixture=(
  --data "lol=$data/lol_train:0.12" --data "lol_rest=$data/lol_rest:0.07:all" --data "stacks=$data/stacks:0.08"
  --data "sice=$data/sice:0.07" --data "photographs=$data/coco128:0.14" --data "vehicles=$data/vehicles:0.12"
  --data "noisy=$data/coco128:0.12:isp-published" --data "noisy_vehicles=$data/vehicles:0.12:isp-published"
  --data "moderate=$data/coco128:0.05:isp-moderate" --data "moderate_vehicles=$data/vehicles:0.05:isp-moderate"
  --data "dusk=$data/coco128:0.03:isp-dusk" --data "dusk_vehicles=$data/vehicles:0.03:isp-dusk"
)
restoration_alone=(--freeze 'glance*' 'summary*' 'grid*' 'colour*' --ssim-weight 0.7 --log-error-weight 0.05 --precision bfloat16)

# The exposure branch alone, at low resolution; then the restoration, under the exposure that the bright image has;
# then the restoration on more and noisier dark twins, whose features the frozen detector that ships compares.
run exposure "${mixture[@]}" --only-exposure --patch 128 --decode-side 192 --batch 32 --epochs 40 --steps 100 \
  --learning-rate 2e-3 --average-decay 0.995 --validate-epochs 4 "$@"
run lite "${mixture[@]}" --init-from "$runs/exposure" "${restoration_alone[@]}" --patch 192 --epochs 40 --steps 200 \
  --learning-rate 1e-3 --validate-epochs 5 "$@"
run detector "${noisy_mixture[@]}" --init-from "$runs/lite" "${restoration_alone[@]}" --patch 224 --epochs 140 --steps 40 \
  --learning-rate 5e-4 --feature-weight 1 --pattern-weight 20 --validate-epochs 20 "$@"
