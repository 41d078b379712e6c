"""Flows of flowjax, as its users train them: the same architecture as the row's flow, with parameters of the library's own
start, each work one jitted function. `python jax_library.py LIBRARY THREADS`; `jax` is a continuous flow written by hand."""

import math
import os
import sys

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np

import common

library, threads = sys.argv[1], int(sys.argv[2])
if hasattr(os, "sched_setaffinity") and threads < len(os.sched_getaffinity(0)):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def flowjax_of(row):
    """(trained parameters, loss, density, sample) of flowjax's flow."""
    import equinox as eqx
    import paramax
    from flowjax.bijections import Affine, RationalQuadraticSpline
    from flowjax.distributions import StandardNormal
    from flowjax.flows import coupling_flow, masked_autoregressive_flow

    spline = row["kind"] == "spline"
    make = coupling_flow if spline else masked_autoregressive_flow
    # a spline has one bin more than flowjax has inner knots
    flow = make(
        jax.random.key(0),
        base_dist=StandardNormal((row["shape"][0],)),
        transformer=RationalQuadraticSpline(knots=row["bins"] - 1, interval=3) if spline else Affine(),
        flow_layers=row["layers"],
        nn_width=row["hidden"][0],
        nn_depth=len(row["hidden"]),
    )
    fixed = lambda leaf: isinstance(leaf, paramax.NonTrainable)
    params, static = eqx.partition(flow, eqx.is_inexact_array, is_leaf=fixed)
    whole = lambda p: paramax.unwrap(eqx.combine(p, static))
    return (
        params,
        lambda p, x, key: -whole(p).log_prob(x),
        lambda p, x: whole(p).log_prob(x),
        lambda p, key: whole(p).sample(key, (row["samples"],)),
    )


def continuous(row):
    """The same of a continuous flow, whose velocity is trained by flow matching."""
    d, n, steps = row["shape"][0], row["samples"], 8
    widths = [d + 1, *row["hidden"], d]
    keys = jax.random.split(jax.random.key(0), len(widths))
    params = [
        (jax.random.normal(k, (a, b)) * math.sqrt(2 / a), jnp.zeros(b)) for k, a, b in zip(keys, widths, widths[1:])
    ]

    def velocity(p, x, t):
        h = jnp.concatenate((x, jnp.broadcast_to(2 * t - 1, (len(x), 1))), 1)
        for w, b in p[:-1]:
            h = jnp.tanh(h @ w + b)
        return h @ p[-1][0] + p[-1][1]

    def loss(p, x, key):
        first, second = jax.random.split(key)
        z, t = jax.random.normal(first, x.shape), jax.random.uniform(second, (len(x), 1))
        line = x - z
        return jnp.square(velocity(p, z + line * t, t) - line).sum(1)

    def sample(p, key):
        x, h = jax.random.normal(key, (n, d)), 1 / steps

        def move(i, x):
            t = i * h
            k1 = velocity(p, x, t)
            k2 = velocity(p, x + h / 2 * k1, t + h / 2)
            k3 = velocity(p, x + h / 2 * k2, t + h / 2)
            k4 = velocity(p, x + h * k3, t + h)
            return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

        return jax.lax.fori_loop(0, steps, move, x)

    return params, loss, None, sample


def load(row, file):
    _, x, _ = common.read_row(file)
    x = jnp.asarray(x)
    params, loss, log_prob, generate = (flowjax_of if library == "flowjax" else continuous)(row)
    dimensions = math.prod(row["shape"])
    each = lambda f, *trees: jax.tree.map(f, *trees)
    gradient = jax.value_and_grad(lambda p, x, key: loss(p, x, key).mean())

    def update(state, x, key, rate, epsilon, fresh):
        params, m, v, average = state
        value, grads = gradient(params, x, key)
        norm = jnp.sqrt(sum(jnp.sum(g * g) for g in jax.tree.leaves(grads)))
        factor = 1 / jnp.maximum(norm / common.CLIP, 1)
        m = each(lambda a, g: common.BETA1 * a + (1 - common.BETA1) * g * factor, m, grads)
        v = each(lambda a, g: common.BETA2 * a + (1 - common.BETA2) * jnp.square(g * factor), v, grads)
        params = each(lambda p, a, b: p - rate * a / (jnp.sqrt(b) + epsilon), params, m, v)
        average = each(lambda a, p: (1 - fresh) * a + fresh * p, average, params)
        return (params, m, v, average), jnp.stack([value / dimensions, norm])

    copy = lambda tree: each(lambda t: jnp.array(t, copy=True), tree)
    zeros = lambda: each(jnp.zeros_like, params)
    state, taken = (copy(params), zeros(), zeros(), copy(params)), 0
    run_step = jax.jit(update, donate_argnums=0)
    run_density = jax.jit(log_prob) if log_prob else None
    run_sample = jax.jit(generate)

    def step():
        nonlocal state, taken
        taken += 1
        state, metrics = run_step(state, x, jax.random.key(taken), *common.rates(taken))
        value, norm = np.asarray(metrics).tolist()
        jax.block_until_ready(state)
        return lambda: {"loss": value, "gradientNorm": norm}

    def density():
        all = np.asarray(run_density(params, x))
        return lambda: {"mean": float(all.mean(dtype="float64"))}

    def sample():
        all = np.asarray(run_sample(params, jax.random.key(taken)))
        return lambda: {"mean": float(all.mean(dtype="float64"))}

    count = sum(p.size for p in jax.tree.leaves(params))
    return {"parameters": count, "step": step, "density": density, "sample": sample}


common.serve(f"{library} in JAX {jax.__version__} jit, {threads} threads", load)
