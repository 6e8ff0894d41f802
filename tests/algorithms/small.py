"""Small algorithms and data in double precision, for comparing with formulas."""

import numpy as np
import torch

from domainbed.algorithms import get_algorithm_class
from domainbed.running.hparams import default_hparams

FEATURES = 5
MLP = {"mlp_width": FEATURES, "mlp_depth": 3, "mlp_dropout": 0.0}


def small(name, shape=(4,), classes=3, domains=2, **hparams):
    """The algorithm on vectors (an MLP with five features) or images, at the defaults of small images."""
    torch.manual_seed(0)
    settings = default_hparams(name, "Debug28") | MLP | hparams
    return get_algorithm_class(name)(shape, classes, domains, settings).double()


def data(*sizes, shape=(4,), classes=3, seed=0):
    """One minibatch of each size."""
    stream = torch.Generator().manual_seed(seed)
    return [
        (
            torch.randn(n, *shape, generator=stream, dtype=torch.float64),
            torch.randint(classes, (n,), generator=stream),
        )
        for n in sizes
    ]


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


def seed(value=0):
    """Set the global generators that algorithms draw from."""
    np.random.seed(value)
    torch.manual_seed(value)
