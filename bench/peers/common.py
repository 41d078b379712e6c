"""Code that the peers share: the list of a flow's layers, the file of a row, and the protocol (see ../README.md).

The layers and their names are those of diffeo's realNvp and realNvpVector. A name is the layer's index in the flow and
its kind, such as `3.coupling`. It is the prefix of the layer's parameters in the file.
"""

import json
import math
import sys
import time

import numpy as np
from safetensors.numpy import load_file, save_file

ALPHA, BINS = 0.05, 256  # of the logit
SLOPE = (1 - 2 * ALPHA) / BINS
CORNERS = (0, 3, 1, 2)  # the order of a squeezed square's pixels before half of them is factored out
LEARNING_RATE, CLIP, L2 = 1e-3, 100.0, 5e-5
BETA1, BETA2, EPSILON, DECAY = 0.9, 0.999, 1e-8, 0.995
NORM_MOMENTUM, NORM_EPSILON, WEIGHT_EPSILON = 0.05, 1e-5, 1e-12


def layers(row):
    """(name, kind, detail) in the order of the flow; the detail of a coupling is whether it keeps the first part."""
    plan = []

    def couplings(n, kind, norm):
        for i in range(n):
            plan.append((kind, i % 2 == 0))
            if norm:
                plan.append(("actNorm", None))

    if row["kind"] == "vector":
        for _ in range(math.ceil(row["couplings"] / 2)):
            couplings(2, "halves", False)
            plan.append(("actNorm", None))
    else:
        if row["norm"] != "batch" or row["path"] not in ("actNorm", "none"):
            raise ValueError("the peers support only batch norm in the nets, and ActNorm or no norm on the path")
        if row.get("order", "ordered") != "ordered" or row.get("logScale", "tanh") != "tanh":
            raise ValueError("the peers support only the ordered factor-out and the log scale bounded by tanh")
        norm = row["path"] == "actNorm"
        plan.append(("logit", None))
        for _ in range(row["scales"] - 1):
            couplings(3, "checkerboard", norm)
            plan.append(("squeeze", None))
            couplings(3, "channelwise", norm)
            plan += [("ordered", None), ("factorOut", None)]
        couplings(4, "checkerboard", norm)
    kinds = {"checkerboard": "coupling", "channelwise": "coupling", "halves": "coupling"}
    return [(f"{i}.{kinds.get(kind, kind)}", kind, detail) for i, (kind, detail) in enumerate(plan)]


def is_statistic(path):
    return path.endswith(("/mean", "/variance", "/started"))


def is_scale(path):
    """Whether a parameter is the scale of a coupling, to which the L2 penalty applies."""
    return path.endswith(".coupling/scale")


def read_row(path):
    """(parameters by path, batch, latents) as NumPy arrays, channels last."""
    tensors = load_file(path)
    params = {name.removeprefix("params/"): t for name, t in tensors.items() if name.startswith("params/")}
    latents = [tensors[f"z/{i}"] for i in range(len(tensors)) if f"z/{i}" in tensors]
    return params, tensors["x"], latents


def rates(step):
    """(corrected learning rate, corrected epsilon, weight of the new parameters in the average) at step 1, 2, ..."""
    root = math.sqrt(1 - BETA2**step)
    return LEARNING_RATE * root / (1 - BETA1**step), EPSILON * root, fresh(step, DECAY)


def fresh(step, decay):
    """1 - decay of the parameter average at step 1, 2, ..."""
    return 1 - min(decay, (1 + step) / (10 + step))


def peak_memory():
    """Peak resident memory in MiB. On Linux, getrusage would include the memory of the parent before exec."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def serve(name, load):
    """Serves requests, one JSON object per line. `load(row, file)` returns the works by name: functions that compute and
    read the result as a user of the library would. Each returns a function for the figures that only the check needs."""

    def send(message):
        print(json.dumps(message), flush=True)

    send({"ready": name})
    works = None
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        try:
            if request["cmd"] == "load":
                works = load(request["row"], request["file"])
                send({"parameters": works["parameters"]} if "parameters" in works else {})
            elif request["cmd"] == "feed":
                values = np.frombuffer(sys.stdin.buffer.read(4 * math.prod(request["shape"])), "<f4")
                works["feed"](values.reshape(request["shape"]), request.get("rate"))
                send({})
            elif request["cmd"] == "memory":
                send({"peak": peak_memory()})
            elif request["cmd"] == "write":
                save_file(works["write"](), request["out"])
                send({})
            else:
                times = []
                for _ in range(request["repeat"]):
                    start = time.perf_counter()
                    read_off = works[request["work"]]()
                    times.append((time.perf_counter() - start) * 1e3)
                send({"ms": times, **read_off()})
        except Exception as error:  # the driver reports it and continues without this peer
            send({"error": f"{type(error).__name__}: {error}"})
            return
