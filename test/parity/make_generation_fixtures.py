"""Writes fixtures/generation.json: what transformers' greedy `generate` answers when a model's files list one or
several tokens that end an answer, and where each list was read from.

    pip install torch transformers
    python test/parity/make_generation_fixtures.py [family...]

Of other families than those named, the answers that are there are kept.
"""

import json
import pathlib
import shutil
import sys
import tempfile

import torch
import transformers
from attention import implementation
from transformers import AutoModelForCausalLM

root = pathlib.Path(__file__).parent / "fixtures"
SEQUENCES = json.loads((root / "meta.json").read_text())["sequences"]
# the first is config.json's eos_token_id, the second the whole generation_config.json (None: there is no such file)
FILES = [
    ([95], {"eos_token_id": [94]}),
    ([18, 74], None),
    (7, None),
    (95, {"eos_token_id": [29, 63, 82]}),
    ([18, 74], {"eos_token_id": None}),
    ([18, 74], {}),
]


def answers(model, eos):
    result = []
    for sequence in SEQUENCES:
        out = model.generate(
            torch.tensor([sequence]),
            max_new_tokens=24,
            do_sample=False,
            # where rotary frequencies depend on the length, keys in a cache are of another length: every token is that
            # of a pass over all before it
            use_cache=model.config.rope_parameters.get("rope_type") not in ["dynamic", "longrope"],
            pad_token_id=0,
            output_logits=True,
            return_dict_in_generate=True,
        )
        tokens = out.sequences[0, len(sequence) :].tolist()
        log_prob = sum(
            torch.log_softmax(logits[0].double(), -1)[token].item() for logits, token in zip(out.logits, tokens)
        )
        finished = tokens[-1] in eos
        result.append(dict(tokens=tokens[:-1] if finished else tokens, log_prob=log_prob, finished=finished))
    return result


path = root / "generation.json"
families = sys.argv[1:] or sorted(path.parent.name for path in root.glob("*/config.json"))
kept = json.loads(path.read_text()) if sys.argv[1:] else dict(cases=[])
cases = [case for case in kept["cases"] if case["family"] not in families]
for family in families:
    for config_eos, generation in FILES:
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            shutil.copy(root / family / "model.safetensors", folder)
            config = json.loads((root / family / "config.json").read_text()) | {"eos_token_id": config_eos}
            (folder / "config.json").write_text(json.dumps(config))
            if generation is not None:
                (folder / "generation_config.json").write_text(json.dumps(generation))
            model = AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float32, attn_implementation=implementation(folder)
            ).eval()
            eos = model.generation_config.eos_token_id
            eos = [] if eos is None else [eos] if isinstance(eos, int) else eos
            cases.append(
                dict(
                    family=family,
                    config_eos_token_id=config_eos,
                    generation_config=generation,
                    eos_token_ids=eos,
                    answers=answers(model, eos),
                )
            )
made_with = kept.get("made_with") or dict(torch=torch.__version__, transformers=transformers.__version__)
text = json.dumps(dict(made_with=made_with, cases=cases), indent=1)
path.write_text(text + "\n")
