"""Loads models, or models with adapters, and writes their logits for the fixtures' sequences.

    python reload.py '[["model"], ["model", "adapter"]]' logits.safetensors
"""

import json
import pathlib
import sys

import peft
import torch
from attention import implementation
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

meta = json.loads((pathlib.Path(__file__).parent / "fixtures" / "meta.json").read_text())
tensors = {}
for folder, *adapters in json.loads(sys.argv[1]):
    # a weight that is missing or left over is a mistake of ours, not a note
    model, notes = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation=implementation(folder), output_loading_info=True
    )
    assert not notes["missing_keys"] and not notes["unexpected_keys"], notes
    for adapter in adapters:
        model = peft.PeftModel.from_pretrained(model, adapter)
    with torch.no_grad():
        logits = [model.eval()(input_ids=torch.tensor([s])).logits[0] for s in meta["sequences"]]
    tensors[(adapters or [folder])[0]] = torch.cat(logits).contiguous()
save_file(tensors, sys.argv[2])
