# task: density
import jax.numpy as jnp
import jax.random as jr
from flowjax.bijections import RationalQuadraticSpline
from flowjax.distributions import Normal
from flowjax.flows import coupling_flow
from flowjax.train import fit_to_data
from sklearn.datasets import make_moons
x = jnp.asarray(make_moons(20_000, noise=0.05, random_state=0)[0])
test = jnp.asarray(make_moons(1000, noise=0.05, random_state=1)[0])
spline = RationalQuadraticSpline(knots=8, interval=4)
flow = coupling_flow(jr.key(0), base_dist=Normal(jnp.zeros(2)), transformer=spline)
flow, losses = fit_to_data(jr.key(1), flow, x, max_epochs=10, batch_size=256, show_progress=False)
print("density", -flow.log_prob(test).mean())
# task: sample
samples = flow.sample(jr.key(2), (1000,))
print("sample", samples.size)
# task: conditional
given = x[:5000] + 1
conditional = coupling_flow(jr.key(3), base_dist=Normal(jnp.zeros(2)), transformer=spline, cond_dim=2)
conditional, _ = fit_to_data(jr.key(4), conditional, (x[:5000], given), max_epochs=20, show_progress=False)
print("conditional", conditional.log_prob(jnp.array([0.5, 0.5]), condition=jnp.array([1.5, 1.5])))
# task: save
import equinox as eqx
eqx.tree_serialise_leaves("moons.eqx", flow)
again = eqx.tree_deserialise_leaves("moons.eqx", flow)
print("save", again.log_prob(jnp.zeros(2)))
# task: variational
from flowjax.flows import masked_autoregressive_flow
from flowjax.train import fit_to_key_based_loss
from flowjax.train.losses import ElboLoss
energy = lambda z: -0.5 * (z**2).sum(-1)
q = masked_autoregressive_flow(jr.key(5), base_dist=Normal(jnp.zeros(2)), invert=False)
q, _ = fit_to_key_based_loss(jr.key(6), q, loss_fn=ElboLoss(energy, num_samples=256), steps=500, show_progress=False)
draws, log_q = q.sample_and_log_prob(jr.key(7), (2000,))
print("variational", (energy(draws) - log_q).mean())
# end
