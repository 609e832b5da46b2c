"""W7 1-2-1 net, a sample a step: PyTorch modules (default), plain Python with gradients by hand (python), the same with
NumPy scalars as in a tutorial (numpy)."""
import peer
import math

np = peer.numpy()
LR, N = 0.03, 100
rs = np.random.RandomState(0)
X = np.sort(rs.rand(N))
Y = ((X > 0.35) & (X < 0.7)).astype(np.float64)
P = rs.randn(7)


def by_hand(exp, p, X, Y):
    w0, w1, b0, b1, v0, v1, c = p

    def sigmoid(z):
        return 1 / (1 + exp(-z))

    def step(i):
        nonlocal w0, w1, b0, b1, v0, v1, c
        x, t = X[i % N], Y[i % N]
        h0, h1 = sigmoid(w0 * x + b0), sigmoid(w1 * x + b1)
        y = sigmoid(v0 * h0 + v1 * h1 + c)
        d = 2 * (y - t) * y * (1 - y)
        d0, d1 = d * v0 * h0 * (1 - h0), d * v1 * h1 * (1 - h1)
        v0, v1, c = v0 - LR * d * h0, v1 - LR * d * h1, c - LR * d
        w0, w1, b0, b1 = w0 - LR * d0 * x, w1 - LR * d1 * x, b0 - LR * d0, b1 - LR * d1
        return (y - t) ** 2

    return step


if peer.VARIANT == "python":
    step = by_hand(math.exp, P.tolist(), X.tolist(), Y.tolist())
elif peer.VARIANT == "numpy":
    step = by_hand(np.exp, list(P), X, Y)
else:
    torch = peer.torch()
    import torch.nn as nn
    torch.set_default_dtype(torch.float64)
    xs, ys = [torch.tensor([v]) for v in X], [torch.tensor([v]) for v in Y]
    model = nn.Sequential(nn.Linear(1, 2), nn.Sigmoid(), nn.Linear(2, 1), nn.Sigmoid())
    p = torch.tensor(P)
    with torch.no_grad():
        model[0].weight.copy_(p[0:2].view(2, 1))
        model[0].bias.copy_(p[2:4])
        model[2].weight.copy_(p[4:6].view(1, 2))
        model[2].bias.copy_(p[6:7])
    opt = torch.optim.SGD(model.parameters(), lr=LR)
    loss = nn.MSELoss()

    def step(i):
        e = loss(model(xs[i % N]), ys[i % N])
        opt.zero_grad(set_to_none=True)
        e.backward()
        opt.step()
        return e


peer.serve(step, 20000, 100)
