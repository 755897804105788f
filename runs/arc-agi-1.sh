#!/usr/bin/env bash
# From public data and a public base to an adapter, its metrics with their noise, and a submission.
#
#   DATA=~/arc-prize-2024 bash runs/arc-agi-1.sh
#
# DATA holds the files of the competition: arc-agi_{training,evaluation}_{challenges,solutions}.json and
# arc-agi_test_challenges.json. Every command continues where it was when the script is started again.
#
# What it takes, predicted. A token of training costs about 6 floating-point operations per weight (2 forward, 4
# backward), one that is read or written 2; the base has 0.49 billion weights.
#
#   samples   20,000 steps x 16            = 320,000
#   tokens    320,000 x about 2,000        = 640 million, so 1.9e18 operations
#   one L4    35 % of 121 bfloat16 TFLOP/s =  42 TFLOP/s: 14,000 tokens/s (assumed, not measured)
#   training  640e6 / 14,000               = 12.7 h, at $0.71 an hour $9
#   answers   400 tasks x 3 seeds x 8 predictions x about 2,000 tokens = 19 million at 20,000/s = 0.3 h
#   scores    400 tasks x 8 views x about 2,500 tokens                 =  8 million at 20,000/s = 0.1 h
#   submit    TIME_BUDGET                  = 2 h
#   total     about 15 h and $11
#
# On two cores without a GPU training reads 94 tokens/s (measured, BENCHMARKS.md): STEPS=100 is then a day. The line
# before training says what STEPS and TOKENS_PER_SECOND come to.
set -euo pipefail

DATA=${DATA:?the folder with the files of the competition}
BASE=${BASE:-Qwen/Qwen2.5-0.5B-Instruct}
OUT=${OUT:-output/arc-agi-1}
STEPS=${STEPS:-20000}
BATCH=${BATCH:-16}
TIME_BUDGET=${TIME_BUDGET:-2h}
TOKENS_PER_SAMPLE=${TOKENS_PER_SAMPLE:-2000}
TOKENS_PER_SECOND=${TOKENS_PER_SECOND:-14000}
DOLLARS_PER_HOUR=${DOLLARS_PER_HOUR:-0.71}
MACHINE=${MACHINE:-L4x1}

arclab() { npx arclab "$@"; }
mkdir -p "$OUT"

# 1. What this machine has, and which operations give the same digits again
arclab doctor

# 2. Tasks of our own beside the 400 of the competition
arclab generate-tasks --output_path "$OUT/generated.json" --count 4000 --max_size 20 --train_samples 3-5

# 3. What training will learn from: samples that are never a target, or do not fit, end the script here
data=(
  --train_datasets "$DATA/arc-agi_training_challenges.json" output-from-examples-v1 4
  --train_datasets "$DATA/arc-agi_training_challenges.json" input-from-inputs-v0 1
  --train_datasets "$OUT/generated.json" output-from-examples-v1 1
  --remove_train_samples_to_fit_max_seq_len
  --max_seq_len 4096 --max_steps "$STEPS" --batch_size "$BATCH"
)
arclab audit --model_path "$BASE" "${data[@]}" --output_path "$OUT/audit.json" --max_samples 100000

# 4. Training: one adapter
awk -v n="$STEPS" -v b="$BATCH" -v t="$TOKENS_PER_SAMPLE" -v s="$TOKENS_PER_SECOND" -v d="$DOLLARS_PER_HOUR" 'BEGIN {
  hours = n * b * t / s / 3600
  printf "training: %.0f million tokens, predicted %.1f h and $%.2f at %s tokens/s\n", n * b * t / 1e6, hours, hours * d, s
}'
arclab fine-tune --model_path "$BASE" "${data[@]}" \
  --val_dataset "$DATA/arc-agi_evaluation_challenges.json" output-from-examples-v1 --max_val_samples 100 \
  --output_dir "$OUT/model" --learning_rate 1e-4 --lr_scheduler_type cosine --loss_on every-answer \
  --task_augmentation 0.3 --lora_r 64 --lora_alpha 64 --use_rslora \
  --eval_steps 1000 --save_total_limit 3 --gradient_checkpointing
adapter=$OUT/model/checkpoint-$STEPS

# 5. What it is worth, with its spread over seeds
arclab infer-evaluate "$adapter" --dataset_path "$DATA/arc-agi_evaluation_challenges.json" \
  --prompt_version output-from-examples-v1 --predictions_per_task 8 --constrained \
  --output_path "$OUT/inference.json" --seeds 3

# 6. The same candidates, scored under the same views and chosen by their scores
arclab score --model_path "$BASE" --adapter_path "$adapter" \
  --dataset_path "$DATA/arc-agi_evaluation_challenges.json" --prompt_version output-from-examples-v1 \
  --input_path "$OUT/inference_task_results.json" --augmentations 8 \
  --output_path "$OUT/scored_task_results.json"
arclab vote --input_path "$OUT/scored_task_results.json" --output_path "$OUT/vote.json" \
  --dataset_path "$DATA/arc-agi_evaluation_challenges.json" --method count-logprob
arclab study paired --dataset_path "$DATA/arc-agi_evaluation_challenges.json" \
  --first "$OUT/inference_task_results.json" --second "$OUT/scored_task_results.json" --metrics vote_1 vote_2

# 7. The submission: every task is learned by itself, predicted, searched and scored. First what fits into the time
submission=(
  --challenges "$DATA/arc-agi_test_challenges.json" --output_dir "$OUT/submission"
  --model_path "$BASE" --adapter_path "$adapter" --recipe search --time_budget "$TIME_BUDGET"
)
arclab submit "${submission[@]}" --plan "$MACHINE"
arclab submit "${submission[@]}" --resume
arclab submit --challenges "$DATA/arc-agi_test_challenges.json" --check "$OUT/submission/submission.json"
