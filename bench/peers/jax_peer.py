"""diffeo's flows in JAX: each work is one jitted function, channels last. `python jax_peer.py THREADS` limits the cores
of the process to THREADS, because XLA starts a thread for each."""

import math
import os
import sys

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np

import common

threads = int(sys.argv[-1])
if hasattr(os, "sched_setaffinity") and threads < len(os.sched_getaffinity(0)):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])

# ---------------------------------------------------------------------------- nets


def weight_of(p, path):
    v = p[f"{path}/kernel"]
    return v * (p[f"{path}/gain"] / jnp.sqrt(jnp.sum(v * v, (0, 1, 2)) + common.WEIGHT_EPSILON))


def with_weights(p):
    """Fixed parameters with the results of `weight_of`, so that density and sampling compute them once."""
    convs = [path.removesuffix("/gain") for path in p if path.endswith("/gain")]
    return {**p, **{f"{path}/weight": weight_of(p, path) for path in convs if f"{path}/kernel" in p}}


def conv(p, path, x):
    weight = p[f"{path}/weight"] if f"{path}/weight" in p else weight_of(p, path)
    y = jax.lax.conv_general_dilated(x, weight, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return y + p[f"{path}/bias"]


def activate(p, path, x, train, after):
    mean, variance = p[f"{path}/mean"], p[f"{path}/variance"]
    if train:
        old_mean, old_variance = mean, variance
        mean = x.mean((0, 1, 2))
        variance = jnp.square(x - mean).mean((0, 1, 2))
        keep = 1 - common.NORM_MOMENTUM
        after[f"{path}/mean"] = keep * old_mean + common.NORM_MOMENTUM * mean
        after[f"{path}/variance"] = keep * old_variance + common.NORM_MOMENTUM * variance
    slope = p[f"{path}/gain"] * jax.lax.rsqrt(variance + common.NORM_EPSILON)
    return jax.nn.relu(x * slope + (p[f"{path}/bias"] - mean * slope))


def resnet(p, path, x, blocks, train, after):
    h = conv(p, f"{path}/in", x)
    out = conv(p, f"{path}/skip", h)
    for i in range(blocks):
        inside = conv(p, f"{path}/conv{i}a", activate(p, f"{path}/norm{i}a", h, train, after))
        h = h + conv(p, f"{path}/conv{i}b", activate(p, f"{path}/norm{i}b", inside, train, after))
        out = out + conv(p, f"{path}/skip{i}", h)
    return conv(p, f"{path}/out", activate(p, f"{path}/norm", out, train, after))


def mlp(p, path, x, hidden):
    for i in range(hidden + 1):
        x = x @ p[f"{path}/dense{i}/kernel"] + p[f"{path}/dense{i}/bias"]
        x = jax.nn.relu(x) if i < hidden else x
    return x


# ---------------------------------------------------------------------------- the flow


def total(x):
    return x.reshape(len(x), -1).sum(1)


def checkerboard(shape, even):
    i, j = np.arange(shape[1])[:, None], np.arange(shape[2])[None]
    return ((i + j) % 2 == (0 if even else 1)).astype("float32")[None, :, :, None]


def coupling(row, p, name, kind, first, x, train, after, inverse=False):
    if kind == "checkerboard":
        mask = checkerboard(x.shape, first)
        kept, changed = x * mask, x * (1 - mask)
    else:
        half = x.shape[-1] // 2
        kept, changed = (x[..., :half], x[..., half:]) if first else (x[..., half:], x[..., :half])
    out = (
        mlp(p, f"{name}/net", kept, len(row["hidden"]))
        if row["kind"] == "vector"
        else resnet(p, f"{name}/net", kept, row["blocks"], train, after)
    )
    c = changed.shape[-1]
    s, t = p[f"{name}/scale"] * jnp.tanh(out[..., :c]), out[..., c:]
    if kind == "checkerboard":
        s, t = s * (1 - mask), t * (1 - mask)
    changed = (changed - t) * jnp.exp(-s) if inverse else changed * jnp.exp(s) + t
    if kind == "checkerboard":
        return kept + changed, s
    return jnp.concatenate((kept, changed) if first else (changed, kept), -1), s


def log_prob(row, p, x, train):
    """log p(x), one number per example, and the next statistics."""
    latents, log_det, after = [], 0, {}
    for name, kind, detail in common.layers(row):
        if kind == "logit":
            u = x * common.SLOPE + common.ALPHA
            x = jnp.log(u) - jnp.log(1 - u)
            log_det += total(jax.nn.softplus(x) + jax.nn.softplus(-x) + math.log(common.SLOPE))
        elif kind == "actNorm":
            log_det += p[f"{name}/logScale"].sum() * math.prod(x.shape[1:-1])
            x = (x + p[f"{name}/shift"]) * jnp.exp(p[f"{name}/logScale"])
        elif kind == "squeeze":
            n, h, w, c = x.shape
            x = x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 5, 2, 4).reshape(n, h // 2, w // 2, 4 * c)
        elif kind == "ordered":
            x = jnp.concatenate([x[..., corner::4] for corner in common.CORNERS], -1)
        elif kind == "factorOut":
            z, x = jnp.split(x, 2, -1)
            latents.append(z)
        else:
            x, s = coupling(row, p, name, kind, detail, x, train, after)
            log_det += total(s)
    latents.append(x)
    return log_det + sum(total(-0.5 * z * z - 0.5 * math.log(2 * math.pi)) for z in latents), after


def generate(row, p, latents):
    left = list(latents)
    x = left.pop()
    for name, kind, detail in reversed(common.layers(row)):
        if kind == "logit":
            x = (jax.nn.sigmoid(x) - common.ALPHA) / common.SLOPE
        elif kind == "actNorm":
            x = x * jnp.exp(-p[f"{name}/logScale"]) - p[f"{name}/shift"]
        elif kind == "squeeze":
            n, h, w, c = x.shape
            x = x.reshape(n, h, w, c // 4, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(n, 2 * h, 2 * w, c // 4)
        elif kind == "ordered":
            corners = jnp.split(x, 4, -1)
            x = jnp.stack([corners[common.CORNERS.index(k)] for k in range(4)], -1).reshape(x.shape)
        elif kind == "factorOut":
            x = jnp.concatenate((left.pop(), x), -1)
        else:
            x, _ = coupling(row, p, name, kind, detail, x, False, {}, True)
    return x


# ---------------------------------------------------------------------------- the works


def load(row, file):
    arrays, x, latents = common.read_row(file)
    x, latents = jnp.asarray(x), [jnp.asarray(z) for z in latents]
    start = {path: jnp.asarray(a) for path, a in arrays.items()}
    # density and sampling use the parameters of the file, not the trained ones
    steady = jax.jit(with_weights)(start)
    dimensions = math.prod(row["shape"])

    def split(p):
        trained = {path: t for path, t in p.items() if not common.is_statistic(path)}
        return trained, {path: t for path, t in p.items() if common.is_statistic(path)}

    def loss(trained, statistics, x):
        nats, after = log_prob(row, {**trained, **statistics}, x, True)
        nll = -nats.mean() / dimensions
        penalty = sum(jnp.sum(t * t) for path, t in trained.items() if common.is_scale(path))
        return nll + common.L2 / dimensions * penalty, (nll, {**statistics, **after})

    gradient = jax.value_and_grad(loss, has_aux=True)

    def update(state, x, rate, epsilon, fresh):
        trained, statistics, m, v, average = state
        (_, (nll, statistics)), grads = gradient(trained, statistics, x)
        norm = jnp.sqrt(sum(jnp.sum(g * g) for g in grads.values()))
        factor = 1 / jnp.maximum(norm / common.CLIP, 1)
        each = lambda f, *trees: jax.tree.map(f, *trees)
        m = each(lambda a, g: common.BETA1 * a + (1 - common.BETA1) * g * factor, m, grads)
        v = each(lambda a, g: common.BETA2 * a + (1 - common.BETA2) * jnp.square(g * factor), v, grads)
        trained = each(lambda p, a, b: p - rate * a / (jnp.sqrt(b) + epsilon), trained, m, v)
        average = each(lambda a, p: (1 - fresh) * a + fresh * p, average, trained)
        return (trained, statistics, m, v, average), jnp.stack([nll / math.log(2), norm])

    copy = lambda tree: jax.tree.map(lambda t: jnp.array(t, copy=True), tree)
    trained, statistics = split(copy(start))
    zeros = lambda: jax.tree.map(jnp.zeros_like, trained)
    state = (trained, statistics, zeros(), zeros(), copy(trained))
    run_step = jax.jit(update, donate_argnums=0)
    run_density = jax.jit(lambda p, x: log_prob(row, p, x, False)[0])
    run_sample = jax.jit(lambda p, z: generate(row, p, z))
    taken = 0

    def step():
        nonlocal state, taken
        taken += 1
        state, metrics = run_step(state, x, *common.rates(taken))
        bits, norm = np.asarray(metrics).tolist()
        # the metrics are ready before the state is
        jax.block_until_ready(state)
        return lambda: {"bitsPerDim": bits, "gradientNorm": norm}

    def density():
        all = np.asarray(run_density(steady, x))
        return lambda: {"mean": float(all.mean(dtype="float64"))}

    def sample():
        all = np.asarray(run_sample(steady, latents))
        return lambda: {"mean": float(all.mean(dtype="float64"))}

    def write():
        grads = jax.jit(gradient)(*split(start), x)[1]
        results = {"density": run_density(steady, x), "sample": run_sample(steady, latents)}
        arrays = {**{f"grads/{path}": g for path, g in grads.items()}, **results}
        return {name: np.ascontiguousarray(a) for name, a in arrays.items()}

    return {"step": step, "density": density, "sample": sample, "write": write}


common.serve(f"JAX {jax.__version__} jit, {threads} threads", load)
