"""The reference of test/gpu in plain PyTorch: a Qwen2 decoder with LoRA, operation by operation as transformers and
peft compute it (norms in float32, adapters in float32, logits for every token). Needs nothing but torch.

usage: reference.py parity <folder> <device> <dtype>      loss, logits and LoRA gradients, written to the folder
       reference.py train <shape.json> <device> <dtype> <sample length> <global batch> <steps> <micro-batches>
       reference.py check                                 against transformers and peft, on the processor
"""

import json
import math
import pathlib
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj"]


class RmsNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x):
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)
        return self.weight * wide.to(x.dtype)


class LoraLinear(nn.Linear):
    """A projection with an adapter in float32, as peft computes it."""

    def adapt(self, rank, alpha):
        self.scaling = alpha / rank
        self.lora_a = nn.Parameter(torch.empty(rank, self.in_features))
        self.lora_b = nn.Parameter(torch.zeros(self.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))

    def forward(self, x):
        result = super().forward(x)
        if not hasattr(self, "lora_a"):
            return result
        low = F.linear(x.to(self.lora_a.dtype), self.lora_a)
        return (result + F.linear(low, self.lora_b) * self.scaling).to(result.dtype)


def rotate_half(x):
    a, b = x.chunk(2, -1)
    return torch.cat((-b, a), -1)


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, f = c["hiddenSize"], c["intermediateSize"]
        q, kv = c["numAttentionHeads"] * c["headDim"], c["numKeyValueHeads"] * c["headDim"]
        self.c = c
        self.input_layernorm = RmsNorm(d, c["rmsNormEpsilon"])
        self.post_attention_layernorm = RmsNorm(d, c["rmsNormEpsilon"])
        self.self_attn = nn.ModuleDict(
            {
                "q_proj": LoraLinear(d, q),
                "k_proj": LoraLinear(d, kv),
                "v_proj": LoraLinear(d, kv),
                "o_proj": LoraLinear(q, d, bias=False),
            }
        )
        self.mlp = nn.ModuleDict(
            {
                "gate_proj": LoraLinear(d, f, bias=False),
                "up_proj": LoraLinear(d, f, bias=False),
                "down_proj": LoraLinear(f, d, bias=False),
            }
        )

    def forward(self, x, cos, sin):
        batch, length, _ = x.shape
        y = self.input_layernorm(x)
        heads = lambda t: t.view(batch, length, -1, self.c["headDim"]).transpose(1, 2)
        q, k, v = (heads(self.self_attn[name](y)) for name in ["q_proj", "k_proj", "v_proj"])
        q, k = (t * cos + rotate_half(t) * sin for t in (q, k))
        group = self.c["numAttentionHeads"] // self.c["numKeyValueHeads"]
        # spelt out, because not every kernel groups heads by itself; transformers does the same
        k, v = (t.repeat_interleave(group, 1) for t in (k, v))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.self_attn["o_proj"](mixed.transpose(1, 2).reshape(batch, length, -1))
        y = self.post_attention_layernorm(x)
        mlp = self.mlp
        return x + mlp["down_proj"](F.silu(mlp["gate_proj"](y)) * mlp["up_proj"](y))


class Qwen2(nn.Module):
    """Tied embeddings; weights by Hugging Face's names."""

    def __init__(self, c):
        super().__init__()
        self.c = c
        self.embed_tokens = nn.Embedding(c["vocabSize"], c["hiddenSize"])
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["numHiddenLayers"]))
        self.norm = RmsNorm(c["hiddenSize"], c["rmsNormEpsilon"])

    def forward(self, tokens):
        x = self.embed_tokens(tokens)
        half = self.c["headDim"] // 2
        inverse = 1.0 / self.c["ropeTheta"] ** (torch.arange(half, device=x.device).float() / half)
        angles = torch.outer(torch.arange(tokens.shape[1], device=x.device).float(), inverse)
        angles = torch.cat((angles, angles), -1)
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        for layer in self.layers:
            x = layer(x, cos, sin)
        return F.linear(self.norm(x), self.embed_tokens.weight)


def loss_of(logits, labels):
    """transformers: all logits in float32, shifted; labels of -100 do not count."""
    return F.cross_entropy(logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)


def adapted(c, device, dtype, rank, alpha):
    torch.manual_seed(0)
    # made where it is used: half a billion random numbers take a processor seconds
    with torch.device(device):
        model = Qwen2(c).to(dtype)
    for name, module in model.named_modules():
        if name.split(".")[-1] in TARGETS:
            with torch.device(device):
                module.adapt(rank, alpha)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = "lora_" in name
    return model.to(device)


def parity(folder, device, dtype):
    folder = pathlib.Path(folder)
    meta = json.loads((folder / "meta.json").read_text())
    data = bytearray((folder / "weights.bin").read_bytes())
    values = torch.frombuffer(data, dtype=torch.float32)
    model = adapted(meta["config"], "cpu", torch.float32, meta["rank"], meta["alpha"])
    state = model.state_dict()
    at = 0
    for name, shape in meta["weights"]:
        size = math.prod(shape)
        state[name].copy_(values[at : at + size].view(shape))
        at += size
    model = model.to(device)
    for name, parameter in model.named_parameters():
        if "lora_" not in name:
            parameter.data = parameter.data.to(dtype)
    total, count, logits = 0.0, sum(len(s) - start for s, start in meta["samples"]), []
    for sequence, start in meta["samples"]:
        tokens = torch.tensor([sequence], device=device)
        out = model(tokens)
        rows = out[0, start - 1 : -1].float().log_softmax(-1)
        loss = -rows.gather(1, tokens[0, start:, None]).sum() / count
        loss.backward()
        total += loss.item()
        logits.append(out[0].float().cpu())
    gradients = {n: p.grad.float().cpu() for n, p in model.named_parameters() if p.requires_grad}
    flat = torch.cat([torch.cat(logits).flatten(), *(gradients[n].flatten() for n in meta["gradients"])])
    (folder / "answer.bin").write_bytes(bytes(flat.detach().contiguous().untyped_storage()))
    return {"loss": total}


def train(path, device, dtype, length, batch, steps, micros):
    """A line for each micro-batch as soon as it is measured; one that does not fit is told and left out."""
    c = json.loads(pathlib.Path(path).read_text())
    model, source = None, "plain torch"
    try:
        from peft import LoraConfig, get_peft_model
        from transformers import Qwen2Config, Qwen2ForCausalLM

        config = Qwen2Config(
            vocab_size=c["vocabSize"],
            hidden_size=c["hiddenSize"],
            intermediate_size=c["intermediateSize"],
            num_hidden_layers=c["numHiddenLayers"],
            num_attention_heads=c["numAttentionHeads"],
            num_key_value_heads=c["numKeyValueHeads"],
            max_position_embeddings=32768,
            tie_word_embeddings=True,
        )
        with torch.device(device):
            base = Qwen2ForCausalLM(config).to(dtype)
        model = get_peft_model(base, LoraConfig(r=32, lora_alpha=64, target_modules=TARGETS)).to(device).train()
        source = "transformers + peft"
        run = lambda tokens, labels: model(input_ids=tokens, labels=labels).loss
    except ImportError:
        model = adapted(c, device, dtype, 32, 64)
        run = lambda tokens, labels: loss_of(model(tokens), labels)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=True)
    tokens = torch.randint(0, c["vocabSize"], (batch, length), device=device)
    labels = tokens.clone()
    labels[:, : int(length * 0.85)] = -100
    is_cuda = device.startswith("cuda")
    wait = torch.cuda.synchronize if is_cuda else lambda: None
    for micro in micros:
        times = []
        try:
            for _ in range(steps + 1):
                wait()
                start = time.perf_counter()
                for at in range(0, batch, micro):
                    loss = run(tokens[at : at + micro], labels[at : at + micro]) * micro / batch
                    loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, 1.0)
                optimizer.step()
                optimizer.zero_grad()
                wait()
                times.append(time.perf_counter() - start)
        except torch.OutOfMemoryError as error:
            optimizer.zero_grad()
            print(json.dumps({"micro": micro, "problem": str(error)[:80], "reference": source}), flush=True)
            continue
        times = sorted(times[1:])
        peak = torch.cuda.max_memory_allocated() if is_cuda else 0
        line = {"micro": micro, "seconds": times[len(times) // 2], "peak": peak, "reference": source}
        print(json.dumps(line), flush=True)
    return {}


def check():
    """The plain model equals transformers + peft: loss and gradients."""
    from peft import LoraConfig, get_peft_model
    from transformers import Qwen2Config, Qwen2ForCausalLM

    c = dict(
        vocabSize=96, hiddenSize=32, intermediateSize=48, numHiddenLayers=2, numAttentionHeads=4,
        numKeyValueHeads=2, headDim=8, rmsNormEpsilon=1e-6, ropeTheta=10000.0,
    )  # fmt: skip
    ours = adapted(c, "cpu", torch.float32, 4, 8)
    config = Qwen2Config(
        vocab_size=96, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, rope_theta=10000.0, tie_word_embeddings=True,
    )  # fmt: skip
    theirs = get_peft_model(Qwen2ForCausalLM(config), LoraConfig(r=4, lora_alpha=8, target_modules=TARGETS))
    named = dict(theirs.named_parameters())
    pairs = {}
    with torch.no_grad():
        for name, parameter in ours.named_parameters():
            parameter.normal_(0, 0.1)
            path, _, kind = name.rpartition(".")
            if kind.startswith("lora_"):
                key = f"base_model.model.model.{path}.lora_{kind[-1].upper()}.default.weight"
            else:
                plain = f"base_model.model.model.{name}"
                key = plain if plain in named else f"base_model.model.model.{path}.base_layer.{kind}"
            named[key].copy_(parameter)
            pairs[name] = key
    tokens = torch.randint(0, 96, (3, 17))
    labels = tokens.clone()
    labels[:, :9] = -100
    loss = loss_of(ours(tokens), labels)
    expected = theirs(input_ids=tokens, labels=labels).loss
    loss.backward()
    expected.backward()
    worst = max(
        (p.grad - named[pairs[n]].grad).abs().max().item() / named[pairs[n]].grad.abs().max().item()
        for n, p in ours.named_parameters()
        if p.requires_grad
    )
    assert abs(loss.item() - expected.item()) < 1e-5, (loss, expected)
    assert worst < 1e-4, worst
    return {"loss": abs(loss.item() - expected.item()), "gradients": worst}


command, *rest = sys.argv[1:]
types = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
if command == "parity":
    result = parity(rest[0], rest[1], types[rest[2]])
elif command == "train":
    micros = [int(n) for n in rest[6].split(",")]
    result = train(rest[0], rest[1], types[rest[2]], *(int(n) for n in rest[3:6]), micros)
else:
    result = check()
print(json.dumps({**result, "torch": torch.__version__}))
