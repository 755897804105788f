"""Writes fixtures/adapter-targets.json: which matrices PEFT adapts, with which rank and factor, by configuration.

    pip install torch transformers peft
    python test/models/make_adapter_targets.py
"""

import json
import pathlib
import warnings

import peft
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from transformers import Qwen2Config, Qwen2ForCausalLM

warnings.filterwarnings("ignore")
CONFIGS = [
    dict(target_modules=["q_proj"]),
    dict(target_modules=["self_attn.q_proj", "down_proj"]),
    dict(target_modules=["model.layers.1.mlp.up_proj", "v_proj"]),
    dict(target_modules=["proj"]),
    dict(target_modules=["no_such_proj"]),
    dict(target_modules=None),
    dict(target_modules="all-linear"),
    dict(target_modules="All-Linear"),
    dict(target_modules="all-linear", exclude_modules=["down_proj", "model.layers.0.self_attn.q_proj"]),
    dict(target_modules="all-linear", exclude_modules=r".*\.mlp\..*"),
    dict(target_modules=r".*\.(q|v)_proj"),
    dict(target_modules=r"q_proj"),
    dict(target_modules=r"model\.layers\.[02]\.mlp\.(?:gate|up)_proj"),
    dict(target_modules=r"model\.layers\.(?P<n>1\d?)\..*_proj"),
    dict(target_modules=r".*layers\.(\d)\d*\.self_attn\.[qk]_proj|.*down_proj\Z"),
    dict(target_modules=["q_proj", "o_proj"], layers_to_transform=[0, 2]),
    dict(target_modules=["q_proj", "o_proj"], layers_to_transform=1),
    dict(target_modules=["q_proj"], layers_to_transform=[]),
    dict(target_modules=["q_proj"], layers_to_transform=[1, 11], layers_pattern="layers"),
    dict(target_modules=["q_proj"], layers_to_transform=[1, 11], layers_pattern=["blocks", "layers"]),
    dict(target_modules=["q_proj"], layers_to_transform=[1], layers_pattern=["h"]),
    dict(target_modules=["q_proj"], layers_to_transform=[1], layers_pattern=[]),
    dict(target_modules=["model.layers.0.self_attn.q_proj", "v_proj"], layers_to_transform=[1]),
    dict(target_modules=["q_proj", "v_proj"], exclude_modules=["1.self_attn.q_proj"]),
    dict(target_modules=["embed_tokens"]),
    dict(target_modules=["lm_head", "q_proj"]),
    dict(target_modules=["model.embed_tokens", "head"]),
    dict(target_modules=r".*(embed_tokens|head)"),
    dict(target_modules="all-linear", exclude_modules=["lm_head"]),
    dict(target_modules=["embed_tokens", "lm_head"], layers_to_transform=[1]),
    dict(target_modules=["embed_tokens", "k_proj"], ensure_weight_tying=True),
    dict(target_modules=["lm_head"], ensure_weight_tying=True),
    dict(target_modules=["k_proj"], ensure_weight_tying=True),
    dict(target_modules=["q_proj", "v_proj"], rank_pattern={"q_proj": 2}),
    dict(target_modules=["q_proj", "v_proj"], rank_pattern={"layers.1.self_attn.q_proj": 2, "q_proj": 3}),
    dict(target_modules=["q_proj", "v_proj"], rank_pattern={r"1\.self_attn\.q_proj": 2}),
    dict(target_modules=["q_proj", "v_proj"], rank_pattern={"^v_proj": 2, "^model.*q_proj": 6}),
    dict(target_modules=["q_proj", "v_proj"], alpha_pattern={r".*\.[02]\..*": 7, "q_proj": 9}, use_rslora=True),
]


def shape_of(config):
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=16,
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=12,
            num_attention_heads=2,
            num_key_value_heads=1,
            tie_word_embeddings=config.get("ensure_weight_tying", False),
        )
    )
    names = [name for name, _ in model.named_modules() if name.endswith(("_proj", "embed_tokens", "lm_head"))]
    try:
        adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=5, **config))
    except Exception as error:
        return names, dict(refused=str(error).split("\n")[0][:80])
    modules = {
        name.removeprefix("base_model.model."): dict(rank=m.r["default"], scaling=m.scaling["default"])
        for name, m in adapted.named_modules()
        if isinstance(m, LoraLayer)
    }
    return names, dict(modules=modules)


cases = []
for config in CONFIGS:
    names, result = shape_of(config)
    cases.append(dict(config=config, **result))
out = dict(made_with=dict(peft=peft.__version__), names=names, cases=cases)
path = pathlib.Path(__file__).parent / "fixtures" / "adapter-targets.json"
path.write_text(json.dumps(out, separators=(",", ":")).replace('{"config"', '\n{"config"') + "\n")
