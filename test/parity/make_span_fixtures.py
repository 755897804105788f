"""Writes what transformers and PEFT compute for a batch with several answers in a prompt: the loss that the model
itself gives for labels with -100 outside of the answers, and its gradients. The models are those of make_fixtures.py.

    pip install torch transformers peft safetensors
    python test/parity/make_span_fixtures.py
"""

import json
import pathlib

import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

root = pathlib.Path(__file__).parent / "fixtures"
SEQUENCES = json.loads((root / "meta.json").read_text())["sequences"]
# the answers of each sequence, from the first token up to, and without, the second
SPANS = [[[2, 4], [7, 11]], [[1, 2], [3, 4], [5, 7]], [[1, 5]]]


def batch():
    """The sequences padded on the right, and labels of the answers alone."""
    length = max(map(len, SEQUENCES))
    ids = torch.zeros(len(SEQUENCES), length, dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for i, (sequence, spans) in enumerate(zip(SEQUENCES, SPANS)):
        ids[i, : len(sequence)] = torch.tensor(sequence)
        mask[i, : len(sequence)] = 1
        for start, end in spans:
            labels[i, start:end] = ids[i, start:end]
    return dict(input_ids=ids, attention_mask=mask, labels=labels)


def gradients(model, prefix):
    loss = model(**batch()).loss
    loss.backward()
    tensors = {"loss": loss.detach().reshape(1)}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            tensors[f"gradient.{prefix(name)}"] = parameter.grad.contiguous()
    return tensors


for family in ["qwen2", "llama"]:
    folder = root / family
    base = lambda: AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    save_file(gradients(base(), lambda name: name), folder / "spans.safetensors")
    tuned = PeftModel.from_pretrained(base(), folder / "lora", is_trainable=True)
    save_file(gradients(tuned.train(), lambda name: name.replace(".default", "")), folder / "lora" / "spans.safetensors")
(root / "spans.json").write_text(json.dumps(SPANS) + "\n")
