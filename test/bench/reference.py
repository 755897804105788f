"""The reference of the torch benches: transformers + peft on the same torch. Prints one line of JSON.

usage: reference.py train <setting: {"lengths": [1024], "dora": true, "dropout": 0.1}> <steps>
       reference.py generate <sequences> <prompt tokens> <new tokens>
"""

import json
import os
import resource
import sys
import time

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

shared = {
    "vocab_size": 151936,
    "rope_theta": 1000000.0,
    "tie_word_embeddings": True,
    "use_cache": True,
}
if os.environ.get("ARCLAB_SHAPE", "Qwen2-0.5B") == "Qwen2-0.5B":
    architecture = Qwen2ForCausalLM
    config = Qwen2Config(
        **shared,
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        max_position_embeddings=32768,
    )
else:
    architecture = Qwen3ForCausalLM
    config = Qwen3Config(
        **shared,
        hidden_size=1024,
        intermediate_size=3072,
        num_hidden_layers=28,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=40960,
    )


def model():
    torch.manual_seed(0)
    return architecture(config)


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def train(steps, lengths, dora=False, dropout=0.0):
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(
        r=32,
        lora_alpha=64,
        lora_dropout=dropout,
        use_dora=dora,
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
    )
    net = get_peft_model(model(), lora).train()
    params = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(params, lr=1e-4, fused=True)
    samples = []
    for length in lengths:
        tokens = torch.randint(0, config.vocab_size, (1, length))
        labels = tokens.clone()
        labels[:, : int(length * 0.85)] = -100
        samples.append((tokens, labels))
    times = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        # micro-batch 1, as the reference experiment ran: one sample at a time, no padding
        for tokens, labels in samples:
            loss = net(input_ids=tokens, labels=labels).loss / len(samples)
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        times.append(time.perf_counter() - start)
    times = sorted(times[1:])
    return {"seconds": times[len(times) // 2], "peak": peak()}


def generate(sequences, prompt, new):
    net = model().eval()
    tokens = torch.randint(0, config.vocab_size, (sequences, prompt))
    mask = torch.ones_like(tokens)

    def run(count):
        start = time.perf_counter()
        with torch.inference_mode():
            net.generate(
                tokens, attention_mask=mask, do_sample=False, min_new_tokens=count, max_new_tokens=count, pad_token_id=0
            )
        return time.perf_counter() - start

    run(1)
    prefill = run(1)
    whole = run(new + 1)
    return {"prefill": prefill, "decode": (whole - prefill) / new, "peak": peak()}


command, *rest = sys.argv[1:]
if command == "train":
    result = train(int(rest[1]), **json.loads(rest[0]))
else:
    result = generate(*(int(n) for n in rest))
print(json.dumps({**result, "torch": torch.__version__}))
