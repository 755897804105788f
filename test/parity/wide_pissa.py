"""Writes a random base of width 512, a PiSSA adapter of PEFT for it, and the logits of the two, into a folder.

    python wide_pissa.py FOLDER
"""

import json
import pathlib
import sys

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import Qwen2Config, Qwen2ForCausalLM

folder = pathlib.Path(sys.argv[1])
sequences = json.loads((pathlib.Path(__file__).parent / "fixtures" / "meta.json").read_text())["sequences"]
torch.manual_seed(0)
config = Qwen2Config(
    vocab_size=128, hidden_size=512, intermediate_size=64, num_hidden_layers=1, num_attention_heads=8,
    num_key_value_heads=4, tie_word_embeddings=False, max_position_embeddings=512,
)
base = Qwen2ForCausalLM(config)
with torch.no_grad():
    for name, weight in base.named_parameters():
        if "_proj.weight" not in name:
            continue
        # singular values fall slowly, as those of trained weights; where they hardly fall, torch's own decomposition
        # in float32 is off by 7e-6 of the logits
        u, values, v = torch.linalg.svd(torch.randn(weight.shape) / weight.shape[1] ** 0.5, full_matrices=False)
        weight.copy_(u * (values * torch.arange(1, len(values) + 1) ** -0.25) @ v)
base.save_pretrained(folder / "base")
settings = LoraConfig(
    task_type="CAUSAL_LM", r=16, lora_alpha=16, target_modules=["q_proj", "v_proj", "o_proj"], init_lora_weights="pissa"
)
tuned = get_peft_model(base, settings)
with torch.no_grad():
    for weight in tuned.parameters():
        if weight.requires_grad:
            weight.mul_(1.3)
tuned.save_pretrained(folder / "adapter")
with torch.no_grad():
    logits = [tuned.eval()(input_ids=torch.tensor([s])).logits[0] for s in sequences]
save_file({"logits": torch.cat(logits).contiguous()}, folder / "expected.safetensors")
