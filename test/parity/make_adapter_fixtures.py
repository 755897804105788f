"""Writes adapters on embeddings and head and with modules_to_save, made by PEFT, into the fixtures of make_fixtures.py, and what PEFT computes
with them: logits, gradients, one and three steps of torch.optim.AdamW, and the merged tables.

    pip install torch transformers peft safetensors
    python test/parity/make_adapter_fixtures.py [family...]
"""

import copy
import json
import pathlib
import shutil
import sys
import warnings

import torch
from attention import implementation
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

warnings.filterwarnings("ignore")
root = pathlib.Path(__file__).parent / "fixtures"
meta = json.loads((root / "meta.json").read_text())
ADAMW = dict(lr=meta["adamw"]["lr"], betas=(0.9, 0.99), eps=1e-5, weight_decay=0.1)
TABLES = ["embed_tokens", "lm_head"]
# qwen2's head is its embedding table, llama's is a table of its own
FAMILIES = ["qwen2", "llama", "gemma2"]
KINDS = {
    "embeddings-lora": dict(r=4, lora_alpha=6, target_modules=["embed_tokens"]),
    "head-rslora": dict(r=4, lora_alpha=3, target_modules=["lm_head"], use_rslora=True),
    "tables-lora": dict(r=3, lora_alpha=5, target_modules=TABLES + ["q_proj"], rank_pattern={"lm_head": 2}),
    "tables-dora": dict(r=3, lora_alpha=5, target_modules=TABLES + ["v_proj"], use_dora=True),
    "head-dora": dict(r=3, lora_alpha=5, target_modules=["lm_head"], use_dora=True),
    "saved-tables": dict(r=2, lora_alpha=5, target_modules=["q_proj"], modules_to_save=TABLES),
    "saved-embeddings": dict(r=2, lora_alpha=5, target_modules=["lm_head"], modules_to_save=["embed_tokens"]),
    "saved-norms": dict(r=2, lora_alpha=5, target_modules="all-linear", modules_to_save=["norm"]),
    "saved-blocks": dict(r=2, lora_alpha=5, target_modules="all-linear", modules_to_save=["1.mlp", "k_proj"]),
    "tables-only-named": dict(r=2, lora_alpha=5, target_modules=r"lm_head|model\.embed_tokens|.*\.1\..*k_proj"),
}


# a cut vocabulary keeps the tokens of the sequences and some more
KEPT = sorted({token for sequence in meta["sequences"] for token in sequence} | {0, 13, 95})


def log_probs(model, kept=None):
    """Logits and the log-probabilities of each answer's tokens, normalised over the kept ones."""
    logits, answers = [], []
    for sequence, start in zip(meta["sequences"], meta["answer_starts"]):
        ids = torch.tensor([sequence])
        out = model(input_ids=ids).logits[0]
        if kept is not None:
            out = out[:, kept]
            ids = torch.tensor([[kept.index(token) for token in sequence]])
        answers.append(torch.log_softmax(out[:-1], -1).gather(1, ids[0, 1:, None])[start - 1 :, 0])
        logits.append(out)
    return torch.cat(logits), torch.cat(answers)


def adapter_name(name):
    """PEFT's name in a file: without the adapter's own name, and no .weight behind the magnitudes."""
    name = name.replace(".modules_to_save", "").replace(".default", "")
    return name.replace("lora_magnitude_vector.weight", "lora_magnitude_vector")


def step(model, kept=None):
    tensors = {}
    logits, answers = log_probs(model, kept)
    loss = -answers.mean()
    loss.backward()
    tensors |= {"loss": loss.reshape(1), "logits": logits, "label_log_probs": answers}
    trainable = [(adapter_name(n), p) for n, p in model.named_parameters() if p.requires_grad]
    for name, parameter in trainable:
        tensors[f"gradient.{name}"] = parameter.grad.clone()
    if kept is not None:
        return tensors
    optimizer = torch.optim.AdamW([p for _, p in trainable], **ADAMW)
    optimizer.step()
    for name, parameter in trainable:
        tensors[f"step1.{name}"] = parameter.detach().clone()
    for _ in range(2):
        optimizer.zero_grad()
        (-log_probs(model)[1].mean()).backward()
        optimizer.step()
    tensors["loss_after_3"] = (-log_probs(model)[1].mean()).reshape(1)
    return tensors


def merged(model):
    """The tables with what lies on them, each merged by itself: PEFT would merge both into a tied one."""
    tensors = {}
    for part in TABLES:
        module = next(m for n, m in model.named_modules() if n.split(".")[-1] == part)
        if hasattr(module, "merge"):
            module = copy.deepcopy(module)
            module.merge()
            tensors[f"merged.{part}"] = module.get_base_layer().weight
    return tensors


def perturb(model, seed):
    """Moves the adapter away from its start, where half of it is zero and so are half of the gradients."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                scale = 0.05 if "magnitude" in name else 0.15
                parameter.add_(scale * torch.randn(parameter.shape, generator=generator))


def save_tensors(tensors, path):
    save_file({k: v.detach().contiguous().float() for k, v in tensors.items()}, path)


def load(family):
    folder = root / family
    attention = implementation(folder)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention).eval()


def finish(folder, family):
    (folder / "README.md").unlink()
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text()) | {"base_model_name_or_path": f"tiny-random-{family}"}
    # a set has no order
    for key in ["target_modules", "modules_to_save"]:
        if isinstance(config[key], list):
            config[key].sort()
    path.write_text(json.dumps(config, indent=2) + "\n")


def write(family, kind, options):
    folder = root / family / kind
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(7)
    base = load(family)
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **options))
    perturb(model, 11)
    model.save_pretrained(folder)
    finish(folder, family)
    if (family, kind) == ("llama", "saved-tables"):
        shutil.rmtree(folder.with_name("saved-tables-bin"), ignore_errors=True)
        model.save_pretrained(folder.with_name("saved-tables-bin"), safe_serialization=False)
        finish(folder.with_name("saved-tables-bin"), family)
    if options.get("ensure_weight_tying"):
        # its training is PEFT's alone
        with torch.no_grad():
            save_tensors({"logits": log_probs(model)[0]}, folder / "expected.safetensors")
        return
    tensors = merged(model)
    # train() without dropout: DoRA computes its norms anew only in training
    save_tensors(step(model.train(), KEPT), folder / "expected-cut.safetensors")
    model.zero_grad()
    save_tensors(tensors | step(model), folder / "expected.safetensors")


def olora(family):
    """What OLoRA begins with, and an adapter that was trained from it, as PEFT converts it to the untouched base."""
    folder = root / family / "olora"
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(7)
    base = load(family)
    targets = ["q_proj", "k_proj", "down_proj", "embed_tokens"]
    config = LoraConfig(
        **dict(r=4, lora_alpha=6, target_modules=targets, init_lora_weights="olora", task_type="CAUSAL_LM")
    )
    model = get_peft_model(base, config)
    initial = root / family / "olora-initial"
    model.peft_config["default"].init_lora_weights = True
    model.save_pretrained(initial)
    model.peft_config["default"].init_lora_weights = "olora"
    tensors = {f"initial.{adapter_name(n)}": p.clone() for n, p in model.named_parameters() if p.requires_grad}
    # PEFT's conversion leaves out adapters of embeddings, which here change nothing
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and "embedding" not in name:
            parameter.data += 0.15 * torch.randn(parameter.shape)
    model.save_pretrained(folder)
    with torch.no_grad():
        tensors["logits"] = log_probs(model)[0]
    model.peft_config["default"].target_modules.remove("embed_tokens")
    model.save_pretrained(folder.with_name("olora-converted"), path_initial_model_for_weight_conversion=initial)
    shutil.rmtree(initial)
    for name in ["olora", "olora-converted"]:
        finish(folder.with_name(name), family)
    save_tensors(tensors, folder / "expected.safetensors")


for family in sys.argv[1:] or FAMILIES:
    # the scale of its embeddings and the cap of its scores are what is new there
    kinds = ["tables-lora", "tables-dora", "saved-tables"] if family == "gemma2" else KINDS
    for kind in kinds:
        write(family, kind, KINDS[kind])
    if family == "gemma2":
        continue
    olora(family)
    if family == "qwen2":
        options = dict(r=3, lora_alpha=5, target_modules=["embed_tokens", "v_proj"], ensure_weight_tying=True)
        write(family, "tied-lora", options)
        options = dict(r=3, lora_alpha=5, target_modules=["v_proj"], modules_to_save=["lm_head"])
        write(family, "tied-saved", options | dict(ensure_weight_tying=True))
(root / "kept.json").write_text(json.dumps(KEPT) + "\n")
