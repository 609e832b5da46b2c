"""Start-up of an interpreter with PyTorch (default), NumPy (numpy) or nothing (python) imported."""
import peer
import subprocess
import sys

imports = {"default": "import torch", "numpy": "import numpy", "python": "pass"}[peer.VARIANT]
if peer.VARIANT == "default":
    peer.torch()
if peer.VARIANT == "numpy":
    peer.numpy()


def step(i):
    subprocess.run([sys.executable, "-c", imports], check=True)
    return 0


peer.serve(step, 1)
