"""Writes fixtures/muon.json: what torch.optim.Muon and AdamW make of small parameters and given gradients."""

import json
from pathlib import Path

import torch

# torch iterates in bfloat16; in float32 the numbers can be compared
torch.Tensor.bfloat16 = lambda self: self.float().clone()

STEPS, LEARNING_RATE, WEIGHT_DECAY = 4, 0.02, 0.1
SHAPES = {
    "model.layers.0.self_attn.q_proj.weight": (4, 6),
    "model.layers.0.self_attn.o_proj.weight": (6, 4),
    "model.layers.1.self_attn.q_proj.weight": (4, 6),
    "model.layers.1.mlp.down_proj.weight": (3, 3),
    "model.layers.1.input_layernorm.weight": (6,),
    "model.embed_tokens.weight": (5, 6),
}

torch.manual_seed(0)
numbers = lambda tensor: [round(x, 7) for x in tensor.flatten().tolist()]
rounded = lambda shape: torch.tensor(numbers(torch.randn(shape))).reshape(shape)
parameters = {name: torch.nn.Parameter(rounded(shape)) for name, shape in SHAPES.items()}
start = {name: numbers(p.detach()) for name, p in parameters.items()}
gradients = [{name: rounded(shape) for name, shape in SHAPES.items()} for _ in range(STEPS)]

hidden = [p for name, p in parameters.items() if ".layers." in name and p.ndim == 2]
tables = [parameters["model.embed_tokens.weight"]]
norms = [parameters["model.layers.1.input_layernorm.weight"]]
optimizers = [
    torch.optim.Muon(hidden, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, adjust_lr_fn="match_rms_adamw"),
    torch.optim.AdamW(tables, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY),
    torch.optim.AdamW(norms, lr=LEARNING_RATE, weight_decay=0),
]
after = []
for step in gradients:
    for name, gradient in step.items():
        parameters[name].grad = gradient.clone()
    for optimizer in optimizers:
        optimizer.step()
    after.append({name: numbers(p.detach()) for name, p in parameters.items()})

result = {
    "torch": torch.__version__,
    "learningRate": LEARNING_RATE,
    "weightDecay": WEIGHT_DECAY,
    "shapes": SHAPES,
    "start": start,
    "gradients": [{name: numbers(g) for name, g in step.items()} for step in gradients],
    "after": after,
}
(Path(__file__).with_name("fixtures") / "muon.json").write_text(json.dumps(result) + "\n")
