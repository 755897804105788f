"""Makes recorded calls of ATen operations with tensors that have no data (the device `meta`), and tells the shapes
of what they give. Reads a list of {name, args} as JSON, writes a list of {name, outputs}."""

import json
import sys

import torch


def argument(value):
    if isinstance(value, dict):
        return torch.empty(value["shape"], dtype=getattr(torch, value["dtype"]), device="meta")
    return value


answers = []
for call in json.load(sys.stdin):
    operation = getattr(torch.ops.aten, call["name"]).default
    given = [argument(value) for value in call["args"]]
    # arguments behind the star of a schema go by name
    names = [a.name for a in operation._schema.arguments]
    free = sum(not a.kwarg_only for a in operation._schema.arguments)
    try:
        outputs = operation(*given[:free], **dict(zip(names[free:], given[free:])))
    except TypeError as error:
        # torch 2.13's own function for _efficient_attention_backward lacks an argument of its schema;
        # the schema has taken the arguments before it was called
        if "got multiple values for argument" not in str(error):
            raise
        outputs = []
    answers.append(
        {
            "name": call["name"],
            "outputs": [list(x.shape) if isinstance(x, torch.Tensor) else None for x in outputs],
        }
    )
print(json.dumps(answers))
