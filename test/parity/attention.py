"""Which of transformers' implementations of attention computes a model as its config.json says."""

import json
import pathlib


def implementation(folder):
    """The common one leaves out the caps of attention scores, without a word (transformers 5.18)."""
    config = json.loads((pathlib.Path(folder) / "config.json").read_text())
    return "eager" if config.get("attn_logit_softcapping") else "sdpa"
