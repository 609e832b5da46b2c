"""W0 with 0-dimensional tensors (default) or in plain Python (python): 2-16-16-1, tanh, mean squared error."""
import peer
import math

np = peer.numpy()
rs = np.random.RandomState(1)
SIZES, N, LR = [2, 16, 16, 1], 100, 0.1


class Scalar:
    """A number in a graph: value, gradient, and (input, derivative) pairs."""
    __slots__ = ("v", "g", "src", "mark")

    def __init__(self, v, src=()):
        self.v, self.g, self.src, self.mark = v, 0.0, src, False

    def __add__(self, o):
        return Scalar(self.v + o.v, ((self, 1.0), (o, 1.0)))

    def __sub__(self, o):
        return Scalar(self.v - o.v, ((self, 1.0), (o, -1.0)))

    def __mul__(self, o):
        return Scalar(self.v * o.v, ((self, o.v), (o, self.v)))

    def square(self):
        return Scalar(self.v * self.v, ((self, 2 * self.v),))

    def tanh(self):
        t = math.tanh(self.v)
        return Scalar(t, ((self, 1.0 - t * t),))

    def backward(self):
        order, stack = [], [(self, 0)]
        self.mark = True
        while stack:
            n, k = stack.pop()
            if k < len(n.src):
                stack.append((n, k + 1))
                p = n.src[k][0]
                if not p.mark:
                    p.mark = True
                    stack.append((p, 0))
            else:
                order.append(n)
        self.g = 1.0
        for n in reversed(order):
            n.mark = False
            for p, d in n.src:
                p.g += n.g * d


if peer.VARIANT == "python":
    leaf = const = Scalar
else:
    torch = peer.torch()
    leaf = lambda v: torch.tensor(v, dtype=torch.float64, requires_grad=True)
    const = lambda v: torch.tensor(v, dtype=torch.float64)
net, params = [], []
for i, o in zip(SIZES, SIZES[1:]):
    net.append([])
    for _ in range(o):
        w = [leaf(rs.rand() * 2 - 1) for _ in range(i)]
        b = leaf(0.0)
        params += w + [b]
        net[-1].append((w, b))
xs, ts = [], []
for k in range(N):
    a = math.pi * (k // 2) / 49
    x = 1 - math.cos(a) if k % 2 else math.cos(a)
    y = 0.5 - math.sin(a) if k % 2 else math.sin(a)
    x += 0.1 * rs.randn()
    y += 0.1 * rs.randn()
    xs.append((x, y))
    ts.append(1.0 if k % 2 else -1.0)


def step(i):
    total = None
    for (x, y), t in zip(xs, ts):
        h = [const(x), const(y)]
        for l, layer in enumerate(net):
            out = []
            for w, b in layer:
                z = b
                for wi, hi in zip(w, h):
                    z = z + wi * hi
                out.append(z.tanh() if l < 2 else z)
            h = out
        e = (h[0] - const(t)).square()
        total = e if total is None else total + e
    loss = total * const(1 / N)
    loss.backward()
    return loss.v if peer.VARIANT == "python" else loss.item()


def update():
    if peer.VARIANT == "python":
        for p in params:
            p.v -= LR * p.g
            p.g = 0.0
        return
    with torch.no_grad():
        for p in params:
            p -= LR * p.grad
            p.grad = None


peer.serve(step, 20, update=update)
