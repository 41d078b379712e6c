"""Density and samples in Python, of a flow exported by `examples/06-export-onnx.ts` or `diffeo export`.

    pip install onnxruntime
    python3 examples/onnx/density.py runs/moons.onnx runs/moons.sampler.onnx
"""

import sys

import numpy as np
import onnxruntime


def run(path, feeds):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds)))


density, sampler = sys.argv[1:3]
draws = run(sampler, {"n": np.array(4, np.int64), "temperature": np.array(1, np.float32)})
x = draws["x"]
log_prob = run(density, {"x": x})["log_prob"]
if x.ndim == 2:
    print("samples:", *np.round(x, 3))
print("log_prob, nats:", np.round(log_prob, 3))
print("bits/dim:", np.round(-log_prob / (x[0].size * np.log(2)), 3))
gap = np.max(np.abs(log_prob - draws["log_prob"]) / np.abs(log_prob))
print(f"log_prob of the sampler differs by {gap:.1e} (relative)")
