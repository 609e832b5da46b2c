"""W2 784-512-256-10, ReLU, cross-entropy, batch 128, Adam; --variant foreach: the optimizer over all params at once."""
import peer

torch, np = peer.torch(), peer.numpy()
import torch.nn as nn
import torch.nn.functional as F

rs = np.random.RandomState(0)
X, Y = peer.classes(np, rs, 128)
xs, ys = [torch.from_numpy(x) for x in X], [torch.from_numpy(y) for y in Y]
layers = []
for i, o in ((784, 512), (512, 256), (256, 10)):
    layer = nn.Linear(i, o)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy((np.sqrt(2.0 / i) * rs.randn(o, i)).astype(np.float32)))
        layer.bias.zero_()
    layers += [layer, nn.ReLU()]
model = nn.Sequential(*layers[:-1])
opt = torch.optim.Adam(model.parameters(), lr=1e-3, foreach=(peer.VARIANT == "foreach"))


def step(i):
    loss = F.cross_entropy(model(xs[i % 10]), ys[i % 10])
    opt.zero_grad(set_to_none=True)
    loss.backward()
    opt.step()
    return loss


peer.serve(step, 20, 10)
