"""TRM: transfer risk minimisation."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from domainbed import networks
from domainbed.algorithms.base import Algorithm, Minibatch
from domainbed.algorithms.minibatches import domain_labels, mean, need_two_domains, pool
from domainbed.algorithms.registry import register
from domainbed.hyperparameters import LogUniform, LogUniformInt

HEAD_STEPS, HEAD_LR = 30, 0.1
TERMS, LARGEST = 10, 10.0


def linear_gradient(logits: Tensor, z: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    """∇_W (K, F) of the risk Σ_i weights_i CE(logits_i, y_i), logits = z Wᵀ + b (N, K), features z (N, F)."""
    errors = logits.softmax(dim=1) - F.one_hot(y, logits.shape[1])
    return (weights[:, None] * errors).T @ z


def hessian_product(logits: Tensor, z: Tensor, weights: Tensor, v: Tensor) -> Tensor:
    """H v for v (K, F), H = ∇²_W of the risk Σ_i weights_i CE(logits_i, ·), logits = z Wᵀ + b (N, K)."""
    p, change = logits.softmax(dim=1), z @ v.T
    return (weights[:, None] * p * (change - (p * change).sum(dim=1, keepdim=True))).T @ z


def inverse_hessian_product(logits: Tensor, z: Tensor, weights: Tensor, v: Tensor) -> Tensor:
    """H⁻¹ v, approximated by the Neumann series Σ_k (I - H)^k v, truncated where it grows.

    In place of the first term, v, DomainBed has the second one once more.
    """
    v = v - hessian_product(logits, z, weights, v)
    total = 2 * v
    for _ in range(TERMS - 1):
        if total.abs().max() > LARGEST:
            break
        v = v - hessian_product(logits, z, weights, v)
        total = total + v
    return total


@register
class TRM(Algorithm):
    """Transfer risk minimisation: the linear head fitted to each domain has low risk on the others:

    min CE(c(z), Y) + 1/D Σ_Q [ Σ_{i≠Q} α_Qi R_i(h_Q) - cos_lambda ⟨s_Q, ∇R_Q(h_Q)⟩ ],   z = f(X),

    h_Q the head fitted to domain Q by 30 steps of SGD, R_i(h) its risk on domain i,
    s_Q ≈ (∇²R_Q)⁻¹ ∇ Σ_i α_Qi R_i a constant, derivatives in the head's weight;
    α_Qi ← α_Qi exp(groupdro_eta α_Qi R_i), of rows that sum to one. Until `iters` the first term alone.

    Source: Y. Xu and T. Jaakkola, Learning Representations that Support Robust Transfer of Predictors, 2021,
    arXiv:2110.09940.
    """

    HPARAMS = {
        "cos_lambda": (1e-4, LogUniform(-5, 0)),
        "iters": (200, LogUniformInt(0, 4)),
        "groupdro_eta": (1e-2, LogUniform(-3, -1)),
    }
    update_count: Tensor

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        need_two_domains("TRM", num_domains)
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.register_buffer("update_count", torch.zeros(1, dtype=torch.int64))
        self.featurizer = networks.Featurizer(input_shape, hparams)
        self.classifier = nn.Linear(self.featurizer.n_outputs, num_classes)
        # Plain tensors, so that the names of parameters are those of DomainBed's checkpoints.
        heads = [nn.Linear(self.featurizer.n_outputs, num_classes) for _ in range(num_domains)]
        self.head_weights = torch.stack([head.weight.detach() for head in heads])
        self.head_biases = torch.stack([head.bias.detach() for head in heads])
        self.alpha = 1 - torch.eye(num_domains)
        self.optimizer = self.adam(self.featurizer, self.classifier)

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        x, y = pool(minibatches)
        z = self.featurizer(x)
        nll = total = F.cross_entropy(self.classifier(z), y)
        if self.update_count.item() >= self.hparams["iters"]:
            total = nll + self.transfer_risk(z, y, domain_labels(minibatches))
        self.step(total)
        self.update_count += 1
        return {"nll": nll.item(), "trm_loss": (total - nll).item()}

    def predict(self, x: Tensor) -> Tensor:
        return self.classifier(self.featurizer(x))

    def transfer_risk(self, z: Tensor, y: Tensor, domains: Tensor) -> Tensor:
        """The second term, after fitting the heads to features z (N, F), labels y (N,), domains (N,)."""
        self.head_weights, self.head_biases, self.alpha = (
            tensor.to(z) for tensor in (self.head_weights, self.head_biases, self.alpha)
        )
        if self.hparams["class_balanced"]:
            self.head_weights = self.classifier.weight.detach().expand_as(self.head_weights)
        self.alpha = self.alpha / self.alpha.sum(dim=1, keepdim=True)
        members = F.one_hot(domains, len(self.alpha)).to(z)
        shares = members / members.sum(dim=0)
        self.fit_heads(z.detach(), y, shares)
        return mean([self.swapped_risk(head, z, y, shares) for head in range(len(self.alpha))])

    def fit_heads(self, z: Tensor, y: Tensor, shares: Tensor) -> None:
        """SGD of every head d on the risk of domain d, Σ_i shares_id CE_i, shares (N, D)."""
        targets = F.one_hot(y, self.head_biases.shape[1])[:, None, :]
        for _ in range(HEAD_STEPS):
            logits = torch.einsum("nf,dkf->ndk", z, self.head_weights) + self.head_biases
            errors = shares[:, :, None] * (logits.softmax(dim=2) - targets)
            self.head_weights = self.head_weights - HEAD_LR * torch.einsum("ndk,nf->dkf", errors, z)
            self.head_biases = self.head_biases - HEAD_LR * errors.sum(dim=0)

    def swapped_risk(self, head: int, z: Tensor, y: Tensor, shares: Tensor) -> Tensor:
        """The bracket of the second term for one head Q; row Q of α is updated."""
        logits = z @ self.head_weights[head].T + self.head_biases[head]
        risks = F.cross_entropy(logits, y, reduction="none") @ shares
        old, constants, fitted = self.alpha[head].clone(), (logits.detach(), z.detach()), shares[:, head]
        swapped_gradient = linear_gradient(*constants, y, shares @ old)
        s = inverse_hessian_product(*constants, fitted, swapped_gradient)
        new = self.alpha[head] = old * (self.hparams["groupdro_eta"] * old * risks.detach()).exp()
        # DomainBed overwrites α between the two passes: values come from the old weights, gradients from the new.
        swapped = new @ risks + (old - new) @ risks.detach()
        return swapped - self.hparams["cos_lambda"] * (s * linear_gradient(logits, z, y, fitted)).sum()
