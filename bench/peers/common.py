"""What the peers share: the list of a flow's layers, a row's file, and the protocol (described in ../README.md).

The layers and their names are those of diffeo's realNvp and realNvpVector: a name is the layer's place in the flow and
its kind, `3.coupling`, and is the prefix of its parameters in the file.
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
    """(name, kind, detail) in the order of the flow; the detail of a coupling is which part it keeps."""
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
            raise ValueError("the peers know batch norm inside the nets, and ActNorm or nothing on the path")
        if row.get("order", "ordered") != "ordered" or row.get("logScale", "tanh") != "tanh":
            raise ValueError("the peers know the ordered factor-out and the log scale that tanh bounds")
        norm = row["path"] == "actNorm"
        plan.append(("logit", None))
        for _ in range(row["scales"] - 1):
            couplings(3, "checkerboard", norm)
            plan.append(("squeeze", None))
            couplings(3, "channelwise", norm)
            plan += [("ordered", None), ("factorOut", None)]
        couplings(4, "checkerboard", norm)
    called = {"checkerboard": "coupling", "channelwise": "coupling", "halves": "coupling"}
    return [(f"{i}.{called.get(kind, kind)}", kind, detail) for i, (kind, detail) in enumerate(plan)]


def is_statistic(path):
    return path.endswith(("/mean", "/variance", "/started"))


def is_scale(path):
    """Under the L2 term: the scale of a coupling."""
    return path.endswith(".coupling/scale")


def read_row(path):
    """(parameters by path, batch, latents) as arrays of numpy, channels last."""
    tensors = load_file(path)
    params = {name.removeprefix("params/"): t for name, t in tensors.items() if name.startswith("params/")}
    latents = [tensors[f"z/{i}"] for i in range(len(tensors)) if f"z/{i}" in tensors]
    return params, tensors["x"], latents


def rates(step):
    """(learning rate with its correction, epsilon with its own, what of the new parameters the average takes) at step
    1, 2, ..."""
    root = math.sqrt(1 - BETA2**step)
    return LEARNING_RATE * root / (1 - BETA1**step), EPSILON * root, fresh(step, DECAY)


def fresh(step, decay):
    """1 - decay of the average at step 1, 2, ..."""
    return 1 - min(decay, (1 + step) / (10 + step))


def peak_memory():
    """Peak resident memory in MiB. Linux's getrusage counts the parent's before exec too."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def serve(name, load):
    """Answers requests, one JSON object a line. `load(row, file)` answers the works: functions that compute, read the
    result as the caller of a library would, and answer a function for what only the check needs."""

    def say(message):
        print(json.dumps(message), flush=True)

    say({"ready": name})
    works = None
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        try:
            if request["cmd"] == "load":
                works = load(request["row"], request["file"])
                say({})
            elif request["cmd"] == "feed":
                values = np.frombuffer(sys.stdin.buffer.read(4 * math.prod(request["shape"])), "<f4")
                works["feed"](values.reshape(request["shape"]), request.get("rate"))
                say({})
            elif request["cmd"] == "memory":
                say({"peak": peak_memory()})
            elif request["cmd"] == "write":
                save_file(works["write"](), request["out"])
                say({})
            else:
                times = []
                for _ in range(request["repeat"]):
                    start = time.perf_counter()
                    read_off = works[request["work"]]()
                    times.append((time.perf_counter() - start) * 1e3)
                say({"ms": times, **read_off()})
        except Exception as error:  # one sentence to the driver, which goes on without this peer
            say({"error": f"{type(error).__name__}: {error}"})
            return
