"""diffeo's flows in PyTorch, as a careful user would write them for a CPU: native batch norm and weight norm, fused
Adam, `_foreach` for the average. `python torch_peer.py VARIANT THREADS`, where VARIANT is `default`, `channels_last`,
`bf16` (autocast, channels last), `compile` or `float64` (only for agree.mjs).

One difference: the running variances of PyTorch's batch norm are unbiased, those of diffeo biased. Training does not
use them, and they differ by a factor of n/(n-1), n > 8000.
"""

import contextlib
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F

import common

variant, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
DTYPE = torch.float64 if variant == "float64" else torch.float32
CHANNELS_LAST = variant in ("channels_last", "bf16")


def laid_out(x):
    return x.contiguous(memory_format=torch.channels_last) if CHANNELS_LAST and x.dim() == 4 else x


def mixed():
    return torch.autocast("cpu", dtype=torch.bfloat16) if variant == "bf16" else contextlib.nullcontext()


def from_numpy(array, path=""):
    """Converts images to N, C, H, W and filters to O, I, H, W."""
    t = torch.from_numpy(np.array(array)).to(DTYPE)
    if t.dim() != 4:
        return t
    return t.permute(3, 2, 0, 1).contiguous() if path.endswith("/kernel") else laid_out(t.permute(0, 3, 1, 2).contiguous())


def to_numpy(t, path=""):
    if t.dim() == 4:
        t = t.permute(2, 3, 1, 0) if path.endswith("/kernel") else t.permute(0, 2, 3, 1)
    return t.detach().contiguous().numpy()


# ---------------------------------------------------------------------------- nets


def weight_of(p, path):
    """g v / |v| per output channel, in one native operation with a native gradient."""
    return torch._weight_norm(p[f"{path}/kernel"], p[f"{path}/gain"].view(-1, 1, 1, 1), 0)


def with_weights(p):
    """Fixed parameters with the results of `weight_of`, so that density and sampling compute them once."""
    convs = [path.removesuffix("/gain") for path in p if path.endswith("/gain")]
    return {**p, **{f"{path}/weight": weight_of(p, path) for path in convs if f"{path}/kernel" in p}}


def conv(p, path, x):
    weight = p[f"{path}/weight"] if f"{path}/weight" in p else weight_of(p, path)
    return F.conv2d(x, weight, p[f"{path}/bias"], padding=weight.shape[-1] // 2)


def activate(p, path, x, train):
    statistics = p[f"{path}/mean"], p[f"{path}/variance"]
    gain, bias = p[f"{path}/gain"], p[f"{path}/bias"]
    return F.relu(F.batch_norm(x, *statistics, gain, bias, train, common.NORM_MOMENTUM, common.NORM_EPSILON))


def resnet(p, path, x, blocks, train):
    h = conv(p, f"{path}/in", x)
    out = conv(p, f"{path}/skip", h)
    for i in range(blocks):
        inside = conv(p, f"{path}/conv{i}a", activate(p, f"{path}/norm{i}a", h, train))
        h = h + conv(p, f"{path}/conv{i}b", activate(p, f"{path}/norm{i}b", inside, train))
        out = out + conv(p, f"{path}/skip{i}", h)
    return conv(p, f"{path}/out", activate(p, f"{path}/norm", out, train))


def mlp(p, path, x, hidden):
    for i in range(hidden + 1):
        x = torch.addmm(p[f"{path}/dense{i}/bias"], x, p[f"{path}/dense{i}/kernel"])
        x = F.relu(x) if i < hidden else x
    return x


# ---------------------------------------------------------------------------- the flow


def total(x):
    return x.flatten(1).sum(1)


class Flow:
    def __init__(self, row):
        self.row = row
        self.layers = common.layers(row)
        self.masks = {}

    def mask(self, x, even):
        """1 at the positions that a checkerboard keeps."""
        height, width = x.shape[2:]
        if (height, even) not in self.masks:
            i, j = torch.arange(height)[:, None], torch.arange(width)[None]
            self.masks[height, even] = ((i + j) % 2 == (0 if even else 1)).to(DTYPE)[None, None]
        return self.masks[height, even]

    def net(self, p, name, kept, channels, train):
        if self.row["kind"] == "vector":
            out = mlp(p, f"{name}/net", kept, len(self.row["hidden"]))
        else:
            with mixed():
                out = resnet(p, f"{name}/net", laid_out(kept), self.row["blocks"], train).to(DTYPE)
        scale = p[f"{name}/scale"]
        a, t = out.split(channels, 1)
        return (scale if out.dim() == 2 else scale.view(-1, 1, 1)) * torch.tanh(a), t

    def coupling(self, p, name, kind, first, x, train, inverse):
        """y and the log-scales; or the inverse, whose log-scales are not used."""
        channels = x.shape[1]
        if kind == "checkerboard":
            mask = self.mask(x, first)
            kept, changed = x * mask, x * (1 - mask)
            s, t = self.net(p, name, kept, channels, train)
            s, t = s * (1 - mask), t * (1 - mask)
        else:
            half = channels // 2
            kept, changed = (x[:, :half], x[:, half:]) if first else (x[:, half:], x[:, :half])
            s, t = self.net(p, name, kept, changed.shape[1], train)
        changed = (changed - t) * torch.exp(-s) if inverse else changed * torch.exp(s) + t
        if kind == "checkerboard":
            return kept + changed, s
        return torch.cat((kept, changed) if first else (changed, kept), 1), s

    def forward(self, p, x, train):
        """log p(x), one number per example."""
        latents, log_det = [], 0
        for name, kind, detail in self.layers:
            if kind == "logit":
                u = x * common.SLOPE + common.ALPHA
                x = torch.log(u) - torch.log(1 - u)
                log_det = log_det + total(F.softplus(x) + F.softplus(-x) + math.log(common.SLOPE))
            elif kind == "actNorm":
                shift, log_scale = p[f"{name}/shift"], p[f"{name}/logScale"]
                log_det = log_det + log_scale.sum() * (x[0, 0].numel())
                if x.dim() == 4:
                    shift, log_scale = shift.view(-1, 1, 1), log_scale.view(-1, 1, 1)
                x = (x + shift) * torch.exp(log_scale)
            elif kind == "squeeze":
                x = laid_out(F.pixel_unshuffle(x, 2))
            elif kind == "ordered":
                squares = x.unflatten(1, (-1, 4))
                x = torch.cat([squares[:, :, corner] for corner in common.CORNERS], 1)
            elif kind == "factorOut":
                z, x = x.chunk(2, 1)
                latents.append(z)
            else:
                x, s = self.coupling(p, name, kind, detail, x, train, False)
                log_det = log_det + total(s)
        latents.append(x)
        return log_det + sum(total(-0.5 * z * z - 0.5 * math.log(2 * math.pi)) for z in latents)

    def inverse(self, p, latents):
        left = list(latents)
        x = left.pop()
        for name, kind, detail in reversed(self.layers):
            if kind == "logit":
                x = (torch.sigmoid(x) - common.ALPHA) / common.SLOPE
            elif kind == "actNorm":
                shift, log_scale = p[f"{name}/shift"], p[f"{name}/logScale"]
                if x.dim() == 4:
                    shift, log_scale = shift.view(-1, 1, 1), log_scale.view(-1, 1, 1)
                x = x * torch.exp(-log_scale) - shift
            elif kind == "squeeze":
                x = laid_out(F.pixel_shuffle(x, 2))
            elif kind == "ordered":
                corners = x.unflatten(1, (4, -1))
                x = torch.stack([corners[:, common.CORNERS.index(k)] for k in range(4)], 2).flatten(1, 2)
            elif kind == "factorOut":
                x = torch.cat((left.pop(), x), 1)
            else:
                x, _ = self.coupling(p, name, kind, detail, x, False, True)
        return x


# ---------------------------------------------------------------------------- the works


def load(row, file):
    arrays, x, latents = common.read_row(file)
    x, latents = from_numpy(x), [from_numpy(z) for z in latents]
    start = {path: from_numpy(a, path) for path, a in arrays.items()}
    # density and sampling use the parameters of the file, not the trained ones
    steady = with_weights(start)
    params = {path: t.clone().requires_grad_(not common.is_statistic(path)) for path, t in start.items()}
    trained = [t for t in params.values() if t.requires_grad]
    scales = [t for path, t in params.items() if common.is_scale(path)]
    average = [t.detach().clone() for t in trained]
    dimensions = math.prod(row["shape"])
    flow = Flow(row)
    compiled = torch.compile(flow.forward) if variant == "compile" else flow.forward
    recipe = {"clip": common.CLIP, "l2": common.L2, "averageDecay": common.DECAY, **row.get("recipe", {})}
    optimiser = torch.optim.Adam(
        trained, common.LEARNING_RATE, (common.BETA1, common.BETA2), common.EPSILON, fused=DTYPE == torch.float32
    )
    taken = 0

    def feed(values, rate):
        """Replaces the batch, and the learning rate if there is one."""
        nonlocal x
        x = from_numpy(values)
        for group in optimiser.param_groups:
            group["lr"] = group["lr"] if rate is None else rate

    def losses():
        nll = -compiled(params, x, True).mean() / dimensions
        return nll, nll + recipe["l2"] / dimensions * sum((s * s).sum() for s in scales)

    def step():
        nonlocal taken
        taken += 1
        optimiser.zero_grad(set_to_none=True)
        nll, loss = losses()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(trained, recipe["clip"], foreach=True)
        optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(average, trained, common.fresh(taken, recipe["averageDecay"]))
        result = {"bitsPerDim": nll.item() / math.log(2), "gradientNorm": norm.item()}
        return lambda: result

    @torch.inference_mode()
    def density():
        all = compiled(steady, x, False).tolist()
        return lambda: {"mean": sum(all) / len(all)}

    @torch.inference_mode()
    def evaluate():
        """Bits per dimension of each example, with the averaged parameters and running statistics."""
        averages = iter(average)
        averaged = {path: next(averages) if t.requires_grad else t for path, t in params.items()}
        each = (flow.forward(averaged, x, False) / (-dimensions * math.log(2))).tolist()
        return lambda: {"each": each}

    @torch.inference_mode()
    def sample():
        all = flow.inverse(steady, latents).numpy()
        return lambda: {"mean": float(all.mean(dtype="float64"))}

    def write():
        optimiser.zero_grad(set_to_none=True)
        losses()[1].backward()
        grads = {f"grads/{path}": to_numpy(t.grad, path) for path, t in params.items() if t.requires_grad}
        with torch.no_grad():
            results = {"density": flow.forward(steady, x, False), "sample": flow.inverse(steady, latents)}
        arrays = {**grads, **{name: to_numpy(t) for name, t in results.items()}}
        return {name: np.ascontiguousarray(a, dtype="float32") for name, a in arrays.items()}

    return {"feed": feed, "step": step, "density": density, "evaluate": evaluate, "sample": sample, "write": write}


common.serve(f"PyTorch {torch.__version__.split('+')[0]} {variant}, {threads} threads", load)
