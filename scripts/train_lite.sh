#!/usr/bin/env bash
# Trains the light variant as the weights that ship were trained: hours on two cores; run it again to resume.
# usage: scripts/train_lite.sh DATA RUNS [FLAG ...]
#   DATA   folder with lol_train, lol_rest, stacks, sice, coco128 and vehicles (docs/mixture.md says what they hold)
#   RUNS   folder for the runs, and for the result, RUNS/lite.keras
#   FLAG   given to every run, after its own, such as --epochs 1 to try the script
set -euo pipefail
data=$1 runs=$2
shift 2
python=${PYTHON:-.venv/bin/python}

run() { # NAME [FLAG ...]
  local name=$1
  shift
  "$python" train_stage.py lite --run "$runs/$name" \
    --data "lol=$data/lol_train:0.2" --data "lol_rest=$data/lol_rest:0.14:all" --data "stacks=$data/stacks:0.16" \
    --data "sice=$data/sice:0.1" --data "photographs=$data/coco128:0.24" --data "vehicles=$data/vehicles:0.16" "$@"
}

# The exposure branch alone, everything for a short while, the exposure branch again, then the restoration alone.
exposure=('glance*' 'summary*' 'grid*' 'colour*')
run start --only-exposure --patch 128 --decode-side 192 --batch 32 --epochs 8 --steps 64 --learning-rate 3e-3 \
  --average-decay 0.98 --validate-epochs 8 "$@"
run first --init-from "$runs/start" --patch 192 --epochs 10 --steps 96 --precision bfloat16 --learning-rate 1.2e-3 \
  --average-decay 0.99 --validate-epochs 10 "$@"
run exposure --init-from "$runs/first" --only-exposure --patch 128 --decode-side 192 --batch 32 --epochs 24 --steps 100 \
  --learning-rate 1.5e-3 --average-decay 0.995 --validate-epochs 6 "$@"
run gain --init-from "$runs/exposure" --freeze "${exposure[@]}" --patch 192 --epochs 3 --steps 200 \
  --learning-rate 1.2e-3 --ssim-weight 2 --precision bfloat16 --validate-epochs 3 "$@"
run denoise --init-from "$runs/gain" --freeze "${exposure[@]}" --patch 192 --epochs 8 --steps 200 \
  --learning-rate 1.2e-3 --ssim-weight 2 --precision bfloat16 --validate-epochs 8 "$@"
run lite --init-from "$runs/denoise" --freeze "${exposure[@]}" --patch 192 --epochs 9 --steps 200 --warmup-epochs 0 \
  --learning-rate 8e-4 --ssim-weight 0.8 --precision bfloat16 --validate-epochs 3 "$@"
"$python" scripts/soften_lite.py "$runs/lite/last.keras" "$runs/lite.keras"
