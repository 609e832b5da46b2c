"""W5 LSTM over sequences of random lengths: cells from ordinary ops (default), nn.LSTMCell (cell), or the fused nn.LSTM
(lstm), which is not the workload but what a user would take."""
import peer

torch, np = peer.torch(), peer.numpy()
import torch.nn as nn
import torch.nn.functional as F

I, H, B, K, NS = 64, 128, 16, 10, 40
rs = np.random.RandomState(0)
lens = rs.permutation(np.linspace(10, 50, NS).round().astype(int))
xs = [torch.from_numpy(rs.randn(n, B, I).astype(np.float32)) for n in lens]
ys = [torch.from_numpy(rs.randint(0, K, B)) for _ in lens]


def weights(o, i):
    return torch.from_numpy(((rs.rand(o, i) * 2 - 1) / np.sqrt(H)).astype(np.float32)).requires_grad_()


wx, wh, wo = weights(4 * H, I), weights(4 * H, H), weights(K, H)
b, bo = torch.zeros(4 * H, requires_grad=True), torch.zeros(K, requires_grad=True)
ps = [wx, wh, b, wo, bo]
h0 = torch.zeros(B, H)


def run(x):
    h = c = h0
    for xt in x.unbind(0):
        i, f, g, o = (F.linear(xt, wx, b) + F.linear(h, wh)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
    return h


if peer.VARIANT in ("cell", "lstm"):
    m = (nn.LSTMCell if peer.VARIANT == "cell" else nn.LSTM)(I, H)
    s = "" if peer.VARIANT == "cell" else "_l0"
    with torch.no_grad():
        getattr(m, "weight_ih" + s).copy_(wx)
        getattr(m, "weight_hh" + s).copy_(wh)
        getattr(m, "bias_ih" + s).zero_()
        getattr(m, "bias_hh" + s).zero_()
    # The module has two biases; the second would learn what the first learns.
    ps = [p for n, p in m.named_parameters() if n != "bias_hh" + s] + [wo, bo]

    def run_cells(x):
        h = c = h0
        for xt in x.unbind(0):
            h, c = m(xt, (h, c))
        return h

    run = run_cells if peer.VARIANT == "cell" else (lambda x: m(x)[0][-1])
opt = torch.optim.SGD(ps, lr=0.1)


def step(i):
    loss = F.cross_entropy(F.linear(run(xs[i % NS]), wo, bo), ys[i % NS])
    opt.zero_grad(set_to_none=True)
    loss.backward()
    opt.step()
    return loss


peer.serve(step, NS, NS)
