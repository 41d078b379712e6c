"""Flows of the PyTorch libraries zuko, nflows and normflows, as their users train them: the same architecture as the row's
flow, with parameters of the library's own start. `python torch_library.py LIBRARY THREADS`; `torch` is a continuous flow
written by hand, as flow matching is with PyTorch alone."""

import math
import sys

import numpy as np
import torch
import torch.nn.functional as F

import common

library, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)


def masked_parameters(module):
    """The number of parameters, without the weights that a mask removes from every result."""
    masks = {id(m.weight): int(m.mask.sum()) for m in module.modules() if hasattr(m, "mask") and hasattr(m, "weight")}
    return sum(masks.get(id(p), p.numel()) for p in module.parameters() if p.requires_grad)


class Zuko:
    def __init__(self, row):
        import zuko

        # two passes are a coupling; the mask of its nets removes the other half
        self.coupling = row["kind"] == "spline"
        (d,), hidden = row["shape"], tuple(row["hidden"])
        self.module = (
            zuko.flows.NSF(d, transforms=row["layers"], hidden_features=hidden, bins=row["bins"], passes=2)
            if self.coupling
            else zuko.flows.MAF(d, transforms=row["layers"], hidden_features=hidden)
        )

    def parameters(self):
        return masked_parameters(self.module) if self.coupling else sum(p.numel() for p in self.module.parameters())

    def log_prob(self, x):
        return self.module().log_prob(x)

    def sample(self, n):
        return self.module().sample((n,))


class Nflows:
    def __init__(self, row):
        from nflows import distributions, flows, transforms, utils
        from nflows.nn.nets import MLP

        class Net(MLP):
            def forward(self, inputs, context=None):
                return super().forward(inputs)

        (d,), hidden = row["shape"], row["hidden"]
        layers = []
        for i in range(row["layers"]):
            if row["kind"] == "spline":
                layers.append(
                    transforms.PiecewiseRationalQuadraticCouplingTransform(
                        utils.torchutils.create_alternating_binary_mask(d, even=i % 2 == 0),
                        lambda a, b: Net((a,), (b,), hidden, F.relu),
                        num_bins=row["bins"],
                        tails="linear",
                        tail_bound=3.0,
                    )
                )
            else:
                layers += [transforms.ReversePermutation(d)] if i > 0 else []
                layers.append(
                    transforms.MaskedAffineAutoregressiveTransform(
                        d, hidden[0], num_blocks=len(hidden) - 1, use_residual_blocks=False
                    )
                )
        self.module = flows.Flow(transforms.CompositeTransform(layers), distributions.StandardNormal([d]))

    def parameters(self):
        return sum(p.numel() for p in self.module.parameters() if p.requires_grad)

    def log_prob(self, x):
        return self.module.log_prob(x)

    def sample(self, n):
        return self.module.sample(n)


class Normflows:
    def __init__(self, row):
        import normflows as nf

        h, w, c = row["shape"]
        flows, merges, bases = [], [], []
        for i in range(row["scales"]):
            factor = 2 ** (row["scales"] - i)
            channels = c * 2 ** (row["scales"] + 1 - i)
            blocks = [nf.flows.GlowBlock(channels, row["peerWidth"], scale_map="exp") for _ in range(row["steps"])]
            flows.append([*blocks, nf.flows.Squeeze()])
            merges += [nf.flows.Merge()] if i > 0 else []
            size = channels if i == 0 else channels // 2
            bases.append(nf.distributions.DiagGaussian((size, h // factor, w // factor), trainable=False))
        # pixels as the row's flow has them: (0.9 x / 256 + 0.05) and its logit
        self.module = nf.MultiscaleFlow(bases, flows, merges, nf.transforms.Logit(common.ALPHA), class_cond=False)
        self.size = h * w * c

    def parameters(self):
        return sum(p.numel() for p in self.module.parameters() if p.requires_grad)

    def log_prob(self, x):
        return self.module.log_prob(x / common.BINS, None) - self.size * math.log(common.BINS)

    def sample(self, n):
        return self.module.sample(n)[0]


class Torch:
    def __init__(self, row):
        (d,), hidden = row["shape"], row["hidden"]
        widths = [d + 1, *hidden]
        layers = [m for a, b in zip(widths, widths[1:]) for m in (torch.nn.Linear(a, b), torch.nn.Tanh())]
        self.module = torch.nn.Sequential(*layers, torch.nn.Linear(widths[-1], d))
        self.d = d

    def parameters(self):
        return sum(p.numel() for p in self.module.parameters())

    def velocity(self, x, t):
        return self.module(torch.cat((x, 2 * t - 1), 1))

    def loss(self, x):
        z, t = torch.randn_like(x), torch.rand(len(x), 1)
        line = x - z
        return (self.velocity(z + line * t, t) - line).square().sum(1)

    def sample(self, n, steps=8):
        x, h = torch.randn(n, self.d), 1 / steps
        at = lambda x, t: self.velocity(x, torch.full((n, 1), t))
        for i in range(steps):
            t = i * h
            k1 = at(x, t)
            k2 = at(x + h / 2 * k1, t + h / 2)
            k3 = at(x + h / 2 * k2, t + h / 2)
            k4 = at(x + h * k3, t + h)
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return x


def load(row, file):
    torch.manual_seed(0)
    _, x, _ = common.read_row(file)
    x = torch.from_numpy(np.ascontiguousarray(x if x.ndim == 2 else x.transpose(0, 3, 1, 2)))
    flow = {"zuko": Zuko, "nflows": Nflows, "normflows": Normflows, "torch": Torch}[library](row)
    loss = flow.loss if library == "torch" else lambda x: -flow.log_prob(x)
    dimensions = math.prod(row["shape"])
    trained = [p for p in flow.module.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(trained, common.LEARNING_RATE, (common.BETA1, common.BETA2), common.EPSILON, fused=True)
    average = [p.detach().clone() for p in trained]
    taken = 0

    def step():
        nonlocal taken
        taken += 1
        optimiser.zero_grad(set_to_none=True)
        value = loss(x).mean()
        value.backward()
        norm = torch.nn.utils.clip_grad_norm_(trained, common.CLIP, foreach=True)
        optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(average, trained, common.fresh(taken, common.DECAY))
        result = {"loss": value.item() / dimensions, "gradientNorm": norm.item()}
        return lambda: result

    @torch.no_grad()
    def density():
        all = flow.log_prob(x).tolist()
        return lambda: {"mean": sum(all) / len(all)}

    @torch.no_grad()
    def sample():
        all = flow.sample(row["samples"]).numpy()
        return lambda: {"mean": float(all.mean(dtype="float64"))}

    return {"parameters": flow.parameters(), "step": step, "density": density, "sample": sample}


common.serve(f"{library} in PyTorch {torch.__version__.split('+')[0]}, {threads} threads", load)
