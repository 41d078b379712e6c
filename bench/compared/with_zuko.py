# task: density
import torch
import zuko
from sklearn.datasets import make_moons
x = torch.tensor(make_moons(20_000, noise=0.05, random_state=0)[0], dtype=torch.float32)
test = torch.tensor(make_moons(1000, noise=0.05, random_state=1)[0], dtype=torch.float32)
flow = zuko.flows.NSF(2, transforms=5, hidden_features=(64, 64))
optimizer = torch.optim.Adam(flow.parameters(), lr=1e-3)
for _ in range(1000):
    batch = x[torch.randint(0, len(x), (256,))]
    loss = -flow().log_prob(batch).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
with torch.no_grad():
    print("density", -flow().log_prob(test).mean().item())
# task: sample
with torch.no_grad():
    samples = flow().sample((1000,))
print("sample", samples.numel())
# task: conditional
given = x[:5000] + 1
conditional = zuko.flows.NSF(2, context=2, transforms=5, hidden_features=(64, 64))
optimizer = torch.optim.Adam(conditional.parameters(), lr=1e-3)
for _ in range(1000):
    rows = torch.randint(0, 5000, (256,))
    loss = -conditional(given[rows]).log_prob(x[rows]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
with torch.no_grad():
    print("conditional", conditional(torch.tensor([1.5, 1.5])).log_prob(torch.tensor([0.5, 0.5])).item())
# task: save
torch.save(flow.state_dict(), "moons.pt")
again = zuko.flows.NSF(2, transforms=5, hidden_features=(64, 64))
again.load_state_dict(torch.load("moons.pt"))
with torch.no_grad():
    print("save", again().log_prob(torch.zeros(2)).item())
# task: variational
energy = lambda z: -0.5 * z.square().sum(-1)
q = zuko.flows.MAF(2, transforms=5, hidden_features=(64, 64))
q = zuko.flows.Flow(q.transform.inv, q.base)
optimizer = torch.optim.Adam(q.parameters(), lr=1e-3)
for _ in range(500):
    draws, log_q = q().rsample_and_log_prob((256,))
    loss = (log_q - energy(draws)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
with torch.no_grad():
    draws, log_q = q().rsample_and_log_prob((2000,))
    print("variational", (energy(draws) - log_q).mean().item())
# end
