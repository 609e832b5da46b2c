"""W4 nano-GPT: attention written out (default), or torch 1.13's private fused one (sdpa)."""
import peer
import math

torch, np = peer.torch(), peer.numpy()
import torch.nn as nn
import torch.nn.functional as F

V, L, NH, C, T, B, TEXT, NB = 65, 4, 4, 128, 64, 12, 20001, 50


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(C))

    def forward(self, x):
        return F.layer_norm(x, (C,), self.weight, None, 1e-5)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.n1, self.n2 = Norm(), Norm()
        self.qkv = nn.Linear(C, 3 * C, bias=False)
        self.proj = nn.Linear(C, C, bias=False)
        self.up = nn.Linear(C, 4 * C, bias=False)
        self.down = nn.Linear(4 * C, C, bias=False)
        self.register_buffer("mask", torch.ones(T, T, dtype=torch.bool).triu(1))

    def attend(self, x):
        b, t, c = x.shape
        q, k, v = (z.view(b, t, NH, c // NH).transpose(1, 2) for z in self.qkv(x).split(C, dim=2))
        if peer.VARIANT == "sdpa":
            y, _ = F._scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            w = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(c // NH))
            w = w.masked_fill(self.mask[:t, :t], float("-inf"))
            y = F.softmax(w, dim=-1) @ v
        return self.proj(y.transpose(1, 2).reshape(b, t, c))

    def forward(self, x):
        x = x + self.attend(self.n1(x))
        return x + self.down(F.gelu(self.up(self.n2(x))))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok = nn.Embedding(V, C)
        self.pos = nn.Embedding(T, C)
        self.blocks = nn.ModuleList([Block() for _ in range(L)])
        self.norm = Norm()
        self.head = nn.Linear(C, V, bias=False)
        self.head.weight = self.tok.weight
        self.register_buffer("idx", torch.arange(T))

    def forward(self, x, y):
        h = self.tok(x) + self.pos(self.idx)
        for b in self.blocks:
            h = b(h)
        return F.cross_entropy(self.head(self.norm(h)).view(-1, V), y.view(-1))


if peer.VARIANT == "sdpa" and not hasattr(F, "_scaled_dot_product_attention"):
    peer.absent("this version of PyTorch has no F._scaled_dot_product_attention")
rs = np.random.RandomState(0)
chance = np.cumsum(rs.rand(V, V) ** 16, axis=1)
text = [0]
for _ in range(TEXT - 1):
    row = chance[text[-1]]
    text.append(min(V - 1, int(np.searchsorted(row, rs.rand() * row[-1]))))
text = np.array(text)
start = rs.randint(0, TEXT - T - 1, (NB, B))
xs = [torch.from_numpy(np.stack([text[s:s + T] for s in row])) for row in start]
ys = [torch.from_numpy(np.stack([text[s + 1:s + T + 1] for s in row])) for row in start]
model = GPT()
with torch.no_grad():
    for name, p in model.named_parameters():
        if p.dim() == 2:
            scale = 0.02 / math.sqrt(2 * L) if "proj" in name or "down" in name else 0.02
            p.copy_(torch.from_numpy((scale * rs.randn(*p.shape)).astype(np.float32)))
matrices = [p for p in model.parameters() if p.dim() >= 2]
vectors = [p for p in model.parameters() if p.dim() < 2]
opt = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
                        lr=1e-3, betas=(0.9, 0.99))


def step(i):
    loss = model(xs[i % NB], ys[i % NB])
    opt.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    opt.step()
    return loss


peer.serve(step, 20)
