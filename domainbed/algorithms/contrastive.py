"""Supervised contrastive loss with domain weights."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SupConLossLambda(nn.Module):
    """Supervised contrastive loss that weighs pairs within a domain by λ and pairs across domains by 1 - λ.

    With u the features at unit length, E_ij = exp(u_i·u_j / T), ω_ij the pair's weight, and P_i the other samples of
    i's class:

    l_i = 1/|P_i| Σ_{j in P_i} log(ω_ij E_ij / (Σ_{k≠i} ω_ik E_ik + 1e-5) + 1e-5),   loss = -Σ l_i / (M + 1),

    over the M samples for which l_i is defined.

    Source: B. Demirel, E. Aptoula, H. Ozkan, ADRMX, 2023, arXiv:2308.06624, after P. Khosla et al., arXiv:2004.11362.
    """

    def __init__(self, lamda: float = 0.5, temperature: float = 0.07):
        super().__init__()
        self.lamda = lamda
        self.temperature = temperature

    def forward(self, features: Tensor, labels: Tensor, domain_labels: Tensor) -> Tensor:
        """The loss (scalar) of features (N, F), labels (N,) and domain labels (N,); 0 if no class has two samples."""
        unit = F.normalize(features, dim=1)
        other = ~torch.eye(len(unit), dtype=torch.bool, device=unit.device)
        within = (domain_labels[:, None] == domain_labels).to(unit)
        weights = (self.lamda * within + (1 - self.lamda) * (1 - within)) * other
        pairs = weights * (unit @ unit.T / self.temperature).exp()
        log_shares = (pairs / (pairs.sum(dim=1, keepdim=True) + 1e-5) + 1e-5).log()
        positive = (labels[:, None] == labels) & other
        anchors = positive.any(dim=1)
        means = (log_shares * positive)[anchors].sum(dim=1) / positive[anchors].sum(dim=1)
        means = means[~means.isnan()]
        return -means.sum() / (len(means) + 1)
