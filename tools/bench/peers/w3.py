"""W3 LeNet, batch 64, SGD with momentum; --variant channels_last: that memory format."""
import peer

torch, np = peer.torch(), peer.numpy()
import torch.nn as nn
import torch.nn.functional as F

rs = np.random.RandomState(0)
X, Y = peer.classes(np, rs, 64)
xs, ys = [torch.from_numpy(x).view(64, 1, 28, 28) for x in X], [torch.from_numpy(y) for y in Y]
model = nn.Sequential(
    nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
    nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
with torch.no_grad():
    for layer in model:
        if hasattr(layer, "weight"):
            inputs = layer.weight[0].numel()
            for p in (layer.weight, layer.bias):
                p.copy_(torch.from_numpy(((rs.rand(*p.shape) * 2 - 1) / np.sqrt(inputs)).astype(np.float32)))
if peer.VARIANT == "channels_last":
    model = model.to(memory_format=torch.channels_last)
    xs = [x.to(memory_format=torch.channels_last) for x in xs]
opt = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)


def step(i):
    loss = F.cross_entropy(model(xs[i % 10]), ys[i % 10])
    opt.zero_grad(set_to_none=True)
    loss.backward()
    opt.step()
    return loss


peer.serve(step, 100, 10)
