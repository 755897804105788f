"""Writes fixtures/torch: files of torch.save, and the same tensors as safetensors; and pickles that are more than data.

    pip install torch safetensors
    python test/models/make_torch_files.py
"""

import collections
import pathlib
import pickle
import zipfile

import torch
from safetensors.torch import save_file

root = pathlib.Path(__file__).parent / "fixtures" / "torch"
root.mkdir(exist_ok=True)
torch.manual_seed(3)
whole = torch.randn(6, 5)
tensors = {
    "float32": torch.randn(3, 4),
    "float16": torch.randn(7).half(),
    "bfloat16": torch.randn(2, 3, 2).bfloat16(),
    "float64": torch.randn(2, 2).double(),
    "int64": torch.tensor([3, -(2**31), 2**31 - 1]),
    "bool": torch.tensor([True, False]),
    "scalar": torch.tensor(2.5),
    "empty": torch.zeros(0, 4),
    # views of one storage
    "shared": whole,
    "transposed": whole.t(),
    "column": whole[:, 2],
    "strided": whole[1::2, ::2],
}
torch.save(tensors, root / "dict.bin")
save_file({name: tensor.clone().contiguous() for name, tensor in tensors.items()}, root / "dict.safetensors")
module = torch.nn.Linear(3, 2)
torch.save(module.state_dict(), root / "state-dict.bin")
parameters = collections.OrderedDict(module.named_parameters())
torch.save(parameters, root / "parameters.bin")
save_file({name: p.detach().clone() for name, p in parameters.items()}, root / "state-dict.safetensors")


class Calls:
    """What unpickling calls a function for."""

    def __init__(self, function, *arguments):
        self.result = (function, arguments)

    def __reduce__(self):
        return self.result


import os  # noqa: E402

torch.save({"weight": tensors["float32"], "more": Calls(os.system, "true")}, root / "calls-system.bin")
torch.save({"weight": Calls(eval, "1")}, root / "calls-eval.bin")
torch.save({"weight": Calls(getattr, "text", "upper")}, root / "calls-getattr.bin")
torch.save(module, root / "module.bin")
torch.save({"step": 3}, root / "numbers.bin")
torch.save(tensors["float32"], root / "tensor.bin")
torch.save({"weight": tensors["float32"]}, root / "legacy.bin", _use_new_zipfile_serialization=False)
torch.save({"weight": torch.ones(1).expand(1000, 1000)}, root / "expanded.bin")
with zipfile.ZipFile(root / "compressed.bin", "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("archive/data.pkl", pickle.dumps({}, 2) * 50)
