"""Writes fixtures/safetensors.json: small files, right and wrong, and whether the reference library opens them.

    pip install numpy safetensors
    python test/models/make_safetensors_cases.py
"""

import base64
import json
import pathlib
import struct
import tempfile

import numpy as np
import safetensors


def make(header, data, raw=None):
    text = (raw if raw is not None else json.dumps(header)).encode()
    return struct.pack("<Q", len(text)) + text + data


def f32(n):
    return np.arange(n, dtype="float32").tobytes()


def F(shape, start, end, dtype="F32"):
    return dict(dtype=dtype, shape=shape, data_offsets=[start, end])


cases = {
 'good':make({'a':F([2],0,8),'b':F([1],8,12)},f32(3)),
 'any order':make({'b':F([1],8,12),'a':F([2],0,8)},f32(3)),
 'empty tensor':make({'a':F([0],0,0),'b':F([1],0,4),'c':F([0,3],4,4)},f32(1)),
 'no tensors':make({},b''),
 'metadata only':make({'__metadata__':{'a':'b'}},b''),
 'gap':make({'a':F([1],0,4),'b':F([1],8,12)},f32(3)),
 'gap at start':make({'a':F([1],4,8)},f32(2)),
 'overlap':make({'a':F([2],0,8),'b':F([2],4,12)},f32(3)),
 'same bytes':make({'a':F([2],0,8),'b':F([2],0,8)},f32(2)),
 'trailing':make({'a':F([1],0,4)},f32(2)),
 'short':make({'a':F([2],0,8)},f32(1)),
 'wrong size':make({'a':F([3],0,8)},f32(2)),
 'reversed':make({'a':F([0],8,0)},f32(2)),
 'negative':make({'a':F([1],-4,0)},f32(1)),
 'string shape':make({'a':F('2',0,8)},f32(2)),
 'string sizes':make({'a':F(['2'],0,8)},f32(2)),
 'negative sizes':make({'a':F([-1,-2],0,8)},f32(2)),
 'fraction':make({'a':F([0.5,4],0,8)},f32(2)),
 'three offsets':make({'a':dict(dtype='F32',shape=[2],data_offsets=[0,8,8])},f32(2)),
 'string offsets':make({'a':dict(dtype='F32',shape=[2],data_offsets=['0','8'])},f32(2)),
 'metadata number':make({'__metadata__':{'a':3},'a':F([1],0,4)},f32(1)),
 'metadata list':make({'__metadata__':[],'a':F([1],0,4)},f32(1)),
 'padded header':make(None,f32(1),'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}   '),
 'leading space':make(None,f32(1),' {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'),
 'duplicate name':make(None,f32(2),'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}'),
 'header past end':struct.pack('<Q',500)+b'{}',
 'extra field':make(None,f32(1),'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1}}'),
 'huge':make({'a':F([2**40,2**40],0,4)},f32(1)),
 'scalar':make({'a':F([],0,4)},f32(1)),
 'unusual dtype':make({'a':F([1],0,1,'F8_E4M3')},b'\0'),
 'no dtype':make({'a':dict(shape=[1],data_offsets=[0,4])},f32(1)),
}

result = {}
with tempfile.TemporaryDirectory() as scratch:
    path = pathlib.Path(scratch) / "x.safetensors"
    for name, content in cases.items():
        path.write_bytes(content)
        try:
            with safetensors.safe_open(path, "np") as file:
                list(file.keys())
            accepted = True
        except Exception:
            accepted = False
        result[name] = dict(accepted=accepted, file=base64.b64encode(content).decode())
out = dict(made_with=dict(safetensors=safetensors.__version__), cases=result)
(pathlib.Path(__file__).parent / "fixtures" / "safetensors.json").write_text(json.dumps(out, indent=1) + "\n")
