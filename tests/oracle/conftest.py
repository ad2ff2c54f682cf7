"""PyTorch on one thread: its waiting threads would take the cores from the engine that it is compared with."""

import importlib.util

if importlib.util.find_spec("torch"):
    import torch

    torch.set_num_threads(1)
