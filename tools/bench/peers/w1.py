"""W1 784-100-10, sigmoid, cross-entropy, batch 100, SGD: modules (default) or plain tensors (raw)."""
import peer

torch, np = peer.torch(), peer.numpy()
import torch.nn as nn
import torch.nn.functional as F

rs = np.random.RandomState(0)
X, Y = peer.classes(np, rs, 100)
xs, ys = [torch.from_numpy(x) for x in X], [torch.from_numpy(y) for y in Y]
W1 = torch.from_numpy((0.01 * rs.randn(100, 784)).astype(np.float32))
W2 = torch.from_numpy((0.01 * rs.randn(10, 100)).astype(np.float32))

if peer.VARIANT == "raw":
    w1, w2 = W1.t().contiguous().requires_grad_(), W2.t().contiguous().requires_grad_()
    b1, b2 = torch.zeros(100, requires_grad=True), torch.zeros(10, requires_grad=True)
    ps = [w1, b1, w2, b2]

    def step(i):
        h = torch.sigmoid(torch.addmm(b1, xs[i % 10], w1))
        loss = F.cross_entropy(torch.addmm(b2, h, w2), ys[i % 10])
        gs = torch.autograd.grad(loss, ps)
        with torch.no_grad():
            for p, g in zip(ps, gs):
                p.add_(g, alpha=-0.1)
        return loss
else:
    model = nn.Sequential(nn.Linear(784, 100), nn.Sigmoid(), nn.Linear(100, 10))
    with torch.no_grad():
        model[0].weight.copy_(W1)
        model[2].weight.copy_(W2)
        model[0].bias.zero_()
        model[2].bias.zero_()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(i):
        loss = F.cross_entropy(model(xs[i % 10]), ys[i % 10])
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        return loss


peer.serve(step, 100, 10)
