"""Writes the fixtures of test/parity: tiny random models, adapters made by PEFT, and what transformers, PEFT
and torch.optim.AdamW compute with them.

    pip install torch transformers peft safetensors
    python test/parity/make_fixtures.py [family...]

Without names all families are made anew, and those of the scripts beside this one with them have to be.
"""

import json
import pathlib
import shutil
import sys

import peft
import torch
import transformers
from attention import implementation
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoConfig, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

root = pathlib.Path(__file__).parent / "fixtures"
SEQUENCES = [[5, 17, 3, 88, 41, 9, 60, 2, 33, 71, 12], [90, 4, 4, 56, 23, 8, 77], [31, 62, 19, 45, 6]]
# in each sequence the labels from here on count: the "answer"
ANSWER_STARTS = [6, 3, 1]
ADAMW = dict(lr=3e-3, betas=(0.9, 0.99), eps=1e-5, weight_decay=0.1)
SHAPE = dict(
    vocab_size=96,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=128,
)


def randomize(model, seed):
    """Weights of visible size everywhere: biases and norms must not be 0 and 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in name:
                # Gemma's are kept as their difference from one
                parameter.copy_((0 if "gemma" in model.config.model_type else 1) + 0.2 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.3 * noise)
            else:
                parameter.copy_(noise / parameter.shape[-1] ** 0.5)
    return model.float().eval()


def log_probs(model):
    """Hidden states, logits and the log-probabilities of each next token, sequence by sequence."""
    logits, label_log_probs = [], []
    for sequence, start in zip(SEQUENCES, ANSWER_STARTS):
        ids = torch.tensor([sequence])
        out = model(input_ids=ids).logits[0]
        rows = torch.log_softmax(out[:-1], -1).gather(1, ids[0, 1:, None])[:, 0]
        logits.append(out)
        label_log_probs.append(rows[start - 1 :])
    return torch.cat(logits), torch.cat(label_log_probs)


def step(model, prefix):
    """The gradients of the mean loss over the answers' tokens, and the parameters after one and three steps."""
    tensors = {}
    logits, label_log_probs = log_probs(model)
    loss = -label_log_probs.mean()
    loss.backward()
    tensors["loss"] = loss.detach().reshape(1)
    tensors["logits"] = logits.detach()
    tensors["label_log_probs"] = label_log_probs.detach()
    trainable = [(prefix(n), p) for n, p in model.named_parameters() if p.requires_grad]
    for name, parameter in trainable:
        tensors[f"gradient.{name}"] = parameter.grad.clone()
    optimizer = torch.optim.AdamW([p for _, p in trainable], **ADAMW)
    optimizer.step()
    for name, parameter in trainable:
        tensors[f"step1.{name}"] = parameter.detach().clone()
    for _ in range(2):
        optimizer.zero_grad()
        (-log_probs(model)[1].mean()).backward()
        optimizer.step()
    tensors["loss_after_3"] = (-log_probs(model)[1].mean()).detach().reshape(1)
    return tensors


def adapter_name(name):
    """PEFT's name in a file: without the adapter's own name, and no .weight behind the magnitudes."""
    return name.replace(".default", "").replace("lora_magnitude_vector.weight", "lora_magnitude_vector")


def save_tensors(tensors, path):
    save_file({k: v.contiguous().float() for k, v in tensors.items()}, path)


def perturb(model, seed):
    """Moves the adapter away from its start, where B is zero and so are half of the gradients."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                scale = 0.05 if "magnitude" in name else 0.15
                parameter.add_(scale * torch.randn(parameter.shape, generator=generator))


def family(name, model, *, attention=("q_proj", "k_proj", "v_proj", "o_proj"), mlp=("gate_proj", "up_proj", "down_proj"), some=("q_proj", "v_proj")):
    folder = root / name
    model.save_pretrained(folder)
    base = lambda: model.__class__.from_pretrained(
        folder, dtype=torch.float32, attn_implementation=implementation(folder)
    ).eval()
    save_tensors(step(base(), lambda n: n), folder / "expected.safetensors")
    adapters = {
        "lora": LoraConfig(r=4, lora_alpha=6, target_modules=[*attention, *mlp]),
        "rslora": LoraConfig(r=4, lora_alpha=3, target_modules=list(some), use_rslora=True),
        "dora": LoraConfig(r=3, lora_alpha=5, target_modules=[*attention, *mlp], use_dora=True),
    }
    for kind, config in adapters.items():
        torch.manual_seed(7)
        config.task_type = "CAUSAL_LM"
        tuned = get_peft_model(base(), config)
        perturb(tuned, 11)
        target = folder / kind
        tuned.save_pretrained(target)
        (target / "README.md").unlink()
        # train() without dropout: DoRA recomputes its norms only in training
        save_tensors(step(tuned.train(), adapter_name), target / "expected.safetensors")
    return base


def pissa(base, folder):
    """A PiSSA adapter saved in both of PEFT's ways, and the logits that both must give."""
    config = LoraConfig(
        r=4, lora_alpha=6, target_modules=["q_proj", "o_proj"], init_lora_weights="pissa", task_type="CAUSAL_LM"
    )
    torch.manual_seed(7)
    tuned = get_peft_model(base(), config)
    initial = folder / "pissa-initial"
    tuned.peft_config["default"].init_lora_weights = True
    tuned.save_pretrained(initial)
    tuned.peft_config["default"].init_lora_weights = "pissa"
    tensors = {
        f"initial_product.{n.replace('.lora_A.default', '')}": m.weight @ a.weight
        for n, a in tuned.named_modules()
        if n.endswith("lora_A.default")
        for m in [tuned.get_submodule(n.replace("lora_A", "lora_B"))]
    }
    perturb(tuned, 11)
    tuned.save_pretrained(folder / "pissa")
    tuned.save_pretrained(folder / "pissa-converted", path_initial_model_for_weight_conversion=initial)
    with torch.no_grad():
        tensors["logits"], _ = log_probs(tuned)
    save_tensors({k: v.detach() for k, v in tensors.items()}, folder / "pissa" / "expected.safetensors")
    shutil.rmtree(initial)
    for kind in ["pissa", "pissa-converted"]:
        (folder / kind / "README.md").unlink()


def rope():
    """cos and sin of every kind of rope scaling, at near and far positions."""
    parameters = {
        "linear": {"rope_type": "linear", "factor": 4.0},
        "llama3": {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
        "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64},
        # of a sequence as long as max_position_embeddings, and of a longer one
        "dynamic": {"rope_type": "dynamic", "factor": 4.0},
        "longrope": {
            "rope_type": "longrope",
            "short_factor": [1.0 + 0.1 * i for i in range(8)],
            "long_factor": [2.0 + 0.5 * i for i in range(8)],
            "original_max_position_embeddings": 64,
        },
        "longrope-factor": {
            "rope_type": "longrope",
            "factor": 16.0,
            "short_factor": [1.5] * 8,
            "long_factor": [4.5] * 8,
            "original_max_position_embeddings": 64,
        },
    }
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    tensors, configs = {}, {}
    for name, values in parameters.items():
        config = LlamaConfig(**{**SHAPE, "head_dim": 16}, rope_parameters={"rope_theta": 500.0, **values})
        # the longest position of a pass says how long its sequence is
        for length, positions in [("", [0, 1, 2, 17, 100, 1000]), (".short", [0, 1, 2, 17, 40, 63])]:
            cos, sin = LlamaRotaryEmbedding(config)(torch.zeros(1, 6, 16), torch.tensor([positions]))
            tensors[f"{name}{length}.cos"], tensors[f"{name}{length}.sin"] = cos[0, :, :8], sin[0, :, :8]
        configs[name] = config.to_dict()
    save_tensors(tensors, root / "rope.safetensors")
    (root / "rope.json").write_text(json.dumps(configs, default=str))


def qwen2():
    config = Qwen2Config(**SHAPE, tie_word_embeddings=True, rope_theta=10000.0)
    family("qwen2", randomize(Qwen2ForCausalLM(config), 1))


def llama():
    config = LlamaConfig(
        **SHAPE,
        tie_word_embeddings=False,
        rms_norm_eps=1e-5,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 500.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 16,
        },
    )
    pissa(family("llama", randomize(LlamaForCausalLM(config), 2)), root / "llama")


def qwen3():
    rope = {"rope_type": "default", "rope_theta": 300.0}
    config = Qwen3Config(**SHAPE, head_dim=12, tie_word_embeddings=False, rope_parameters=rope)
    family("qwen3", randomize(Qwen3ForCausalLM(config), 3))


def mistral():
    rope = {"rope_type": "default", "rope_theta": 700.0}
    config = transformers.MistralConfig(**SHAPE, head_dim=10, sliding_window=None, rope_parameters=rope)
    family("mistral", randomize(transformers.MistralForCausalLM(config), 4))


def llama_dynamic():
    # the first sequence is longer than max_position_embeddings, the others are not
    rope = {"rope_type": "dynamic", "rope_theta": 400.0, "factor": 3.0}
    config = LlamaConfig(**{**SHAPE, "max_position_embeddings": 8}, tie_word_embeddings=False, rope_parameters=rope)
    family("llama-dynamic", randomize(LlamaForCausalLM(config), 13))


def phi3():
    # the first sequence is longer than original_max_position_embeddings; 6 of 8 columns of each head are rotated
    rope = {
        "rope_type": "longrope",
        "rope_theta": 300.0,
        "partial_rotary_factor": 0.75,
        "short_factor": [1.0, 1.3, 1.7],
        "long_factor": [1.5, 3.1, 7.0],
    }
    config = transformers.Phi3Config(
        **SHAPE, tie_word_embeddings=True, pad_token_id=None, original_max_position_embeddings=8, rope_parameters=rope
    )
    fused = dict(attention=["qkv_proj", "o_proj"], mlp=["gate_up_proj", "down_proj"], some=["qkv_proj"])
    family("phi3", randomize(transformers.Phi3ForCausalLM(config), 9), **fused)


def smollm3():
    rope = {"rope_type": "default", "rope_theta": 300.0}
    config = transformers.SmolLM3Config(
        **{**SHAPE, "num_hidden_layers": 3},
        attention_bias=True,
        mlp_bias=True,
        no_rope_layer_interval=2,
        tie_word_embeddings=False,
        pad_token_id=None,
        rope_parameters=rope,
    )
    family("smollm3", randomize(transformers.SmolLM3ForCausalLM(config), 10))


def qwen2_window():
    """A window in the layers behind the first."""
    window = dict(use_sliding_window=True, sliding_window=4, max_window_layers=1)
    config = Qwen2Config(**{**SHAPE, "num_hidden_layers": 3}, **window, tie_word_embeddings=True)
    family("qwen2-window", randomize(Qwen2ForCausalLM(config), 5))


def mistral_window():
    """The same window in all layers, smaller than two of the sequences and as long as the third."""
    rope = {"rope_type": "default", "rope_theta": 700.0}
    config = transformers.MistralConfig(**SHAPE, head_dim=10, sliding_window=5, rope_parameters=rope)
    family("mistral-window", randomize(transformers.MistralForCausalLM(config), 6))


def ministral():
    rope = {"rope_type": "default", "rope_theta": 700.0}
    types = ["sliding_attention", "full_attention"]
    config = transformers.MinistralConfig(
        **SHAPE, head_dim=10, sliding_window=4, layer_types=types, rope_parameters=rope
    )
    family("ministral", randomize(transformers.MinistralForCausalLM(config), 14))


def ministral3():
    # positions from 4 on are beyond the length of training: queries grow at 4 and at 8
    rope = {
        "rope_type": "yarn",
        "rope_theta": 700.0,
        "factor": 16.0,
        "original_max_position_embeddings": 4,
        "mscale": 1.0,
        "mscale_all_dim": 1.0,
        "llama_4_scaling_beta": 0.3,
    }
    config = transformers.Ministral3Config(**SHAPE, head_dim=10, rope_parameters=rope)
    family("ministral3", randomize(transformers.Ministral3ForCausalLM(config), 15))


def phi3_window():
    """A window in all layers, and fused projections."""
    config = transformers.Phi3Config(**SHAPE, tie_word_embeddings=False, pad_token_id=None, sliding_window=4)
    fused = dict(attention=["qkv_proj", "o_proj"], mlp=["gate_up_proj", "down_proj"], some=["qkv_proj"])
    family("phi3-window", randomize(transformers.Phi3ForCausalLM(config), 16), **fused)


def smollm3_window():
    """A window in the layers without rotary positions."""
    config = transformers.SmolLM3Config(
        **{**SHAPE, "num_hidden_layers": 3},
        no_rope_layer_interval=2,
        use_sliding_window=True,
        sliding_window=4,
        tie_word_embeddings=True,
        pad_token_id=None,
    )
    family("smollm3-window", randomize(transformers.SmolLM3ForCausalLM(config), 17))


def gemma2():
    # caps that scores and logits of these weights come near to
    caps = dict(attn_logit_softcapping=1.5, final_logit_softcapping=3.0)
    config = transformers.Gemma2Config(
        **{**SHAPE, "num_hidden_layers": 3}, head_dim=12, query_pre_attn_scalar=10, sliding_window=4, **caps
    )
    family("gemma2", randomize(transformers.Gemma2ForCausalLM(config), 9))


def gemma3():
    rope = {
        "full_attention": {"rope_type": "linear", "rope_theta": 900.0, "factor": 4.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
    }
    types = ["sliding_attention", "full_attention", "sliding_attention"]
    config = transformers.Gemma3TextConfig(
        **{**SHAPE, "num_hidden_layers": 3},
        head_dim=12,
        query_pre_attn_scalar=14,
        sliding_window=3,
        layer_types=types,
        rope_parameters=rope,
        final_logit_softcapping=None,
    )
    family("gemma3_text", randomize(transformers.Gemma3ForCausalLM(config), 8))


FAMILIES = {
    "qwen2": qwen2,
    "llama": llama,
    "qwen3": qwen3,
    "mistral": mistral,
    "ministral": ministral,
    "ministral3": ministral3,
    "gemma2": gemma2,
    "gemma3_text": gemma3,
    "phi3": phi3,
    "smollm3": smollm3,
}
# other settings of families that are there
VARIANTS = {
    "llama-dynamic": llama_dynamic,
    "qwen2-window": qwen2_window,
    "mistral-window": mistral_window,
    "phi3-window": phi3_window,
    "smollm3-window": smollm3_window,
}
names = sys.argv[1:]
if not names:
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
if not names or "rope" in names:
    rope()
MADE = {**FAMILIES, **VARIANTS}
for name in [name for name in names if name != "rope"] or ([] if names else MADE):
    shutil.rmtree(root / name, ignore_errors=True)
    MADE[name]()
# what transformers makes of a config.json that says as little as ours may; so many heads that all defaults fit
least = {name: SHAPE[name] for name in ["vocab_size", "intermediate_size", "num_hidden_layers"]}
least |= {"hidden_size": 256, "num_attention_heads": 32}
defaults = {name: {"least": least, "all": AutoConfig.for_model(name, **least).to_dict()} for name in FAMILIES}
(root / "defaults.json").write_text(json.dumps(defaults, indent=1, default=str) + "\n")
for path in root.glob("*/*/adapter_config.json"):
    config = json.loads(path.read_text())
    config["base_model_name_or_path"] = f"tiny-random-{path.parts[-3]}"
    path.write_text(json.dumps(config, indent=2) + "\n")
meta = {
    "made_with": {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__},
    "sequences": SEQUENCES,
    "answer_starts": ANSWER_STARTS,
    "adamw": {"lr": ADAMW["lr"], "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-5, "weightDecay": 0.1},
}
if not names:
    (root / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")
