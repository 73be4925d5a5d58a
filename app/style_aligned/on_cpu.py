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
    """A linear layer that multiplies with oneDNN where it can: in float32 on a processor, with gradients off."""

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or not (_suits(x) and _suits(self.weight)):
            return super().forward(x)
        bias = None if self.bias is None else self.bias.contiguous()  # of any other, oneDNN reads the wrong numbers
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, bias, "none", [], "")
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
    """Variance and mean of `x` over one axis, which becomes 1 long: `torch.var_mean`, but for rounding.

    On a processor in two passes over `x`, each of which is a sum. Squares of deviations must fit into float32.
    """
    if not _suits(x):
        return torch.var_mean(x, axis, correction=correction, keepdim=True)
    mean = x.mean(axis, keepdim=True)
    squares = (x - mean).square().sum(axis, keepdim=True)
    return squares / max(x.shape[axis] - correction, 0), mean


def _suits(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype is torch.float32
