"""Compares models with their pruned forms, as transformers loads both.

    python prune.py '[["whole", "pruned", ["text", ...]]]'

Prints for each a list, by text: the tokens of both, in the whole vocabulary's ids, the largest difference of the
logits of kept tokens relative to their size, and how transformers writes a chat of the pruned model.
"""

import json
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

results = []
for whole, pruned, texts in json.loads(sys.argv[1]):
    kept = [t["id"] for t in json.loads((pathlib.Path(pruned) / "pruned_vocabulary.json").read_text())["kept"]]
    models, tokenizers = [], []
    for folder in (whole, pruned):
        model, notes = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
        assert not notes["missing_keys"] and not notes["unexpected_keys"], notes
        models.append(model.eval())
        tokenizers.append(AutoTokenizer.from_pretrained(folder))
    chat = tokenizers[1].apply_chat_template(
        [{"role": "user", "content": "0"}, {"role": "assistant", "content": "1"}], tokenize=False
    )
    for text in texts:
        before, after = (t(text, add_special_tokens=False)["input_ids"] for t in tokenizers)
        with torch.no_grad():
            logits = [m(input_ids=torch.tensor([ids])).logits[0] for m, ids in zip(models, (before, after))]
        expected = logits[0][:, kept]
        error = ((logits[1] - expected).abs().max() / expected.abs().max()).item()
        results.append(
            {
                "before": before,
                "after": [kept[i] for i in after],
                "error": error,
                "chat": chat,
                "rows": logits[1].shape[1],
                "eos": None if (eos := models[1].config.eos_token_id) is None else kept[eos],
            }
        )
print(json.dumps(results))
