"""Writes what transformers and PEFT compute in bfloat16 and float16 with the fixtures of make_fixtures.py and
make_adapter_fixtures.py, beside what they compute in float32.

    python test/parity/make_half_fixtures.py [family...]
"""

import json
import pathlib
import sys

import peft
import torch
from attention import implementation
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

root = pathlib.Path(__file__).parent / "fixtures"
meta = json.loads((root / "meta.json").read_text())


def log_probs(model):
    """Logits, and the log-probabilities of each answer's tokens as the loss sees them: in float32."""
    logits, answers = [], []
    for sequence, start in zip(meta["sequences"], meta["answer_starts"]):
        ids = torch.tensor([sequence])
        out = model(input_ids=ids).logits[0].float()
        answers.append(torch.log_softmax(out[:-1], -1).gather(1, ids[0, 1:, None])[start - 1 :, 0])
        logits.append(out)
    return torch.cat(logits), torch.cat(answers)


def adapter_name(name):
    return name.replace(".default", "").replace("lora_magnitude_vector.weight", "lora_magnitude_vector")


for family in sys.argv[1:] or sorted(path.parent.name for path in root.glob("*/config.json")):
    tables = [kind for kind in ["tables-lora", "tables-dora"] if (root / family / kind).exists()]
    for kind in ["full", "lora", "rslora", "dora", *tables]:
        for name, dtype in [("bfloat16", torch.bfloat16), ("float16", torch.float16)]:
            folder = root / family
            attention = implementation(folder)
            model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation=attention).eval()
            if kind != "full":
                folder = folder / kind
                model = peft.PeftModel.from_pretrained(model, folder, is_trainable=True).train()
            # in float16 small gradients need a factor on the loss; powers of two change nothing else
            scale = 1024.0 if dtype == torch.float16 else 1.0
            logits, answers = log_probs(model)
            loss = -answers.mean()
            (loss * scale).backward()
            tensors = {"logits": logits, "label_log_probs": answers, "loss": loss.reshape(1)}
            for parameter_name, parameter in model.named_parameters():
                if parameter.requires_grad:
                    tensors[f"gradient.{adapter_name(parameter_name)}"] = parameter.grad.float() / scale
            save_file(
                {k: v.detach().contiguous().float() for k, v in tensors.items()},
                folder / f"expected-{name}.safetensors",
            )
