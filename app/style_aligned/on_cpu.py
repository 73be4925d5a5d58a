"""Two operations that PyTorch computes slowly on a processor: the same numbers in less time.

PyTorch multiplies matrices with MKL, which uses half of what AMD's processors can do. It brings oneDNN too, for
convolutions, and that uses all of it. Statistics it updates number by number, which no vector unit can do.
`python -m benchmarks.on_cpu` makes sets both ways.
"""

from typing import TypeVar

import torch
from torch import Tensor, nn

Net = TypeVar("Net", bound=nn.Module)


class OneDNNLinear(nn.Linear):
    """A linear layer that multiplies with oneDNN wherever it can: in float32 on a processor, without gradients."""

    def forward(self, x: Tensor) -> Tensor:
        if not (_suits(x) and _suits(self.weight)) or _has_gradient(x, self.weight):
            return super().forward(x)
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
        return product


def hasten(net: Net) -> Net:
    """Let the linear layers of `net` multiply with oneDNN, if PyTorch has it and the layers suit it; returns `net`.

    Their names, weights and gradients stay, and what looks for an `nn.Linear` finds one.
    """
    for layer in net.modules() if torch.backends.mkldnn.is_available() else ():
        if type(layer) is nn.Linear and _suits(layer.weight):  # what inherits from it may multiply in its own way
            layer.__class__ = OneDNNLinear
    return net


def var_mean(x: Tensor, axis: int, correction: int = 1) -> tuple[Tensor, Tensor]:
    """Variance and mean of `x` over one axis, which becomes 1 long, as `torch.var_mean` gives them.

    On a processor in two passes over `x`, each of which is a sum.
    """
    if not _suits(x):
        return torch.var_mean(x, axis, correction=correction, keepdim=True)
    mean = x.mean(axis, keepdim=True)
    squares = (x - mean).square().sum(axis, keepdim=True)
    return squares / max(x.shape[axis] - correction, 0), mean


def _suits(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype is torch.float32


def _has_gradient(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
