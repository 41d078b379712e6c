"""The log-density of a flow that `examples/06-export-onnx.ts` or `diffeo export` wrote, in Python.

    pip install onnxruntime
    python3 examples/onnx/density.py runs/moons.onnx
"""

import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
x = session.get_inputs()[0]
shape = [4, *x.shape[1:]]
# images lie in [0, 256), points near the origin
scale = 255.0 if len(shape) == 4 else 1.0
batch = (scale * np.random.default_rng(0).random(shape)).astype(np.float32)
names = [output.name for output in session.get_outputs()]
results = dict(zip(names, session.run(None, {x.name: batch})))
log_prob = results["log_prob"]
dimensions = int(np.prod(shape[1:]))
print("log_prob, nats:", np.round(log_prob, 3))
print("bits/dim:", np.round(-log_prob / (dimensions * np.log(2)), 3))
