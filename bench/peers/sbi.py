"""Simulation-based inference on two tasks of sbibm, for bench/sbi.mjs: simulations, zuko's NPE, and the two-sample test.

    sbi.py simulate TASK N FOLDER        writes theta.f32 and x.f32, and the observations
    sbi.py zuko TASK STEPS FOLDER        trains a neural spline flow on them, and writes its samples
    sbi.py compare TASK NAME FOLDER      prints the accuracy of a classifier between NAME's samples and the reference
"""

import bz2
import importlib.util
import json
import math
import sys
import time
from pathlib import Path

import numpy as np

OBSERVATIONS = range(1, 6)
SAMPLES = 4000


def files(task, observation):
    # the package is data only: importing it would need pyro
    root = Path(importlib.util.find_spec("sbibm").submodule_search_locations[0])
    return root / "tasks" / task / "files" / f"num_observation_{observation}"


def csv(path):
    text = bz2.open(path, "rt").read() if path.suffix == ".bz2" else path.read_text()
    return np.array([[float(v) for v in line.split(",")] for line in text.strip().split("\n")[1:]], np.float32)


def two_moons(rng, n):
    theta = rng.uniform(-1, 1, (n, 2))
    angle, radius = rng.uniform(-math.pi / 2, math.pi / 2, n), rng.normal(0.1, 0.01, n)
    p = np.stack([np.cos(angle) * radius + 0.25, np.sin(angle) * radius], 1)
    along, across = (theta[:, 0] + theta[:, 1]) / math.sqrt(2), (theta[:, 1] - theta[:, 0]) / math.sqrt(2)
    return theta, p + np.stack([-np.abs(along), across], 1)


def slcp(rng, n):
    theta = rng.uniform(-3, 3, (n, 5))
    s1, s2, rho = theta[:, 2] ** 2, theta[:, 3] ** 2, np.tanh(theta[:, 4])
    noise = rng.normal(size=(n, 4, 2))
    a = theta[:, None, 0] + s1[:, None] * noise[:, :, 0]
    mixed = rho[:, None] * noise[:, :, 0] + np.sqrt(1 - rho[:, None] ** 2) * noise[:, :, 1]
    b = theta[:, None, 1] + s2[:, None] * mixed
    return theta, np.stack([a, b], 2).reshape(n, 8)


def simulate(task, n, folder):
    theta, x = {"two_moons": two_moons, "slcp": slcp}[task](np.random.default_rng(0), n)
    observed = np.concatenate([csv(files(task, o) / "observation.csv") for o in OBSERVATIONS])
    # both flows get standardised numbers; the two-sample test is invariant to that
    for name, all_, others in [("theta", theta, []), ("x", x, [observed])]:
        mean, deviation = all_.mean(0), all_.std(0)
        ((all_ - mean) / deviation).astype(np.float32).tofile(folder / f"{name}.f32")
        for other in others:
            ((other - mean) / deviation).astype(np.float32).tofile(folder / "observed.f32")
        np.stack([mean, deviation]).astype(np.float32).tofile(folder / f"{name}.scale.f32")
    print(json.dumps({"parameters": theta.shape[1], "data": x.shape[1]}))


def read(folder, name, columns):
    return np.fromfile(folder / f"{name}.f32", np.float32).reshape(-1, columns)


def train_zuko(task, steps, folder):
    import torch
    import zuko

    torch.manual_seed(0)
    torch.set_num_threads(2)
    d, c = {"two_moons": (2, 2), "slcp": (5, 8)}[task]
    theta, x, observed = (torch.from_numpy(read(folder, n, k)) for n, k in [("theta", d), ("x", c), ("observed", c)])
    flow = zuko.flows.NSF(d, c, transforms=5, hidden_features=[64, 64])
    optimiser = torch.optim.Adam(flow.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    began = time.perf_counter()
    for _ in range(steps):
        rows = torch.randint(0, len(theta), (256,))
        loss = -flow(x[rows]).log_prob(theta[rows]).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), 100)
        optimiser.step()
        schedule.step()
    seconds = time.perf_counter() - began
    with torch.no_grad():
        for o, row in zip(OBSERVATIONS, observed):
            flow(row).sample((SAMPLES,)).numpy().tofile(folder / f"zuko.{o}.f32")
    parameters = sum(p.numel() for p in flow.parameters())
    print(json.dumps({"seconds": seconds, "parameters": parameters}))


def compare(task, name, folder):
    from sklearn.model_selection import KFold, cross_val_score
    from sklearn.neural_network import MLPClassifier

    scores = []
    for o in OBSERVATIONS:
        reference = csv(files(task, o) / "reference_posterior_samples.csv.bz2")[:SAMPLES]
        d = reference.shape[1]
        mean, deviation = read(folder, "theta.scale", d)
        own = read(folder, f"{name}.{o}", d) * deviation + mean
        centre, spread = reference.mean(0), reference.std(0)
        both = (np.concatenate([reference, own]) - centre) / spread
        classes = np.repeat([0, 1], [len(reference), len(own)])
        # the settings of sbibm's c2st
        net = MLPClassifier((10 * d, 10 * d), max_iter=10_000, random_state=1)
        folds = KFold(5, shuffle=True, random_state=1)
        scores.append(cross_val_score(net, both, classes, cv=folds, n_jobs=2).mean())
    print(json.dumps(scores))


action, task, argument, folder = sys.argv[1:]
run = {
    "simulate": lambda: simulate(task, int(argument), Path(folder)),
    "zuko": lambda: train_zuko(task, int(argument), Path(folder)),
    "compare": lambda: compare(task, argument, Path(folder)),
}
run[action]()
