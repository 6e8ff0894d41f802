"""Fish: inter-domain gradient matching."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from domainbed import networks
from domainbed.algorithms.base import Algorithm, Minibatch
from domainbed.algorithms.registry import register
from domainbed.hyperparameters import Choice


@register
class Fish(Algorithm):
    """Gradient matching to first order: sequential steps on the domains raise the inner products of their gradients:

    θ' = θ after one Adam step per domain, in order;   θ ← θ + meta_lr (θ' - θ).

    The inner steps use the network itself, and Adam remembers them. Running statistics move like weights, those that
    are whole numbers rounded towards zero. `loss` is the last domain's.

    Source: Y. Shi et al., Gradient Matching for Domain Generalization, 2021, arXiv:2104.09937, algorithm 1.
    """

    HPARAMS = {"meta_lr": (0.5, Choice(0.05, 0.1, 0.5))}

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.network = networks.WholeFish(input_shape, num_classes, hparams)
        self.optimizer = self.adam(self.network)

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        start = {name: value.clone() for name, value in self.network.state_dict().items()}
        for x, y in minibatches:
            loss = F.cross_entropy(self.predict(x), y)
            self.step(loss)
        for name, end in self.network.state_dict().items():
            end.copy_(start[name] + self.hparams["meta_lr"] * (end - start[name]))
        return {"loss": loss.item()}

    def predict(self, x: Tensor) -> Tensor:
        return self.network(x)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing, unexpected, errors):  # type: ignore[no-untyped-def]
        # DomainBed's checkpoints hold the inner network as well, which every update overwrites before using it.
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing, unexpected, errors)
        unexpected[:] = [key for key in unexpected if not key.startswith(f"{prefix}network_inner.")]
