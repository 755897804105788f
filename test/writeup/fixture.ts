/** A write-up of the kind that people have: ten commands in bash blocks, pasted results, something destructive. */
export const writeup = `# Iteration 7. Does a longer prompt help?

_03-09-2024_

## Goal

Find out whether the long prompt is worth its tokens.

## Development

### Verify that inference did not change

<details>
  <summary>Click to see the commands</summary>

\`\`\`bash
# the model of last week
python inference.py \\
--model_path /mnt/disk/models/01/checkpoint-5000 \\
--dataset_path /home/me/data/val_rs7.json \\
--output_filepath /tmp/a.json # the first
mkdir -p results

export SEED=7
cd results
for n in 1 2; do
  echo "run $n of seed $SEED" > run-$n.txt
done
pwd | sed 's|.*/||'
\`\`\`

</details>

Some text with \`inline code\` and a table:

| a | b |
| --- | --- |
| 1 | 2 |

- In a list:

  \`\`\`bash
  python easy_inference_and_evaluation.py "/mnt/disk/models/02/checkpoint-100" --predictions_per_task 8
  accuracy: 5.4% correct_pixels: 69.4% unanswered: 1.0%
  rm -r /mnt/disk/models/02
  \`\`\`

\`\`\`python
print('not ours to run')
\`\`\`

## Results

\`\`\`sh
condor_submit train.condor command="python fine-tuning.py --output_dir /mnt/disk/models/03 --max_steps 10" -append request_gpus=2
python merge_lora.py --base_model_path /mnt/disk/base --lora_path /mnt/disk/models/03 --output_path /mnt/disk/merged
ls -1 run-1.txt run-2.txt
echo "accuracy: 0.25 after 3.2 s"
\`\`\`

## Conclusion

It does not.
`;
