"""Algorithms in double precision on two domains, for comparing with formulas."""

from functools import partial

import torch
from builders import build, minibatches

FEATURES, CLASSES = 5, 3
small = partial(build, shape=(4,), classes=CLASSES, domains=2, dtype=torch.float64, mlp_width=FEATURES)


def data(*sizes, shape=(4,), seed=0):
    """One minibatch of each size."""
    return minibatches(seed, sizes, shape=shape, classes=CLASSES, dtype=torch.float64)


def weights(module):
    """A copy of all parameters as one vector."""
    return torch.cat([parameter.detach().reshape(-1).clone() for parameter in module.parameters()])


def gradients(module):
    """The parameters' gradients as one vector; zero where there is none."""
    found = [torch.zeros_like(p) if p.grad is None else p.grad for p in module.parameters()]
    return torch.cat([gradient.reshape(-1) for gradient in found])


def gradient_of(scalar, module):
    """The gradient of a scalar in the module's parameters as one vector."""
    return torch.cat([g.reshape(-1) for g in torch.autograd.grad(scalar, list(module.parameters()), retain_graph=True)])
