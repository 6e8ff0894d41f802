"""Causal invariant representations: domains mixed at random must not be told apart."""

import numpy as np
import torch
from torch import Tensor

from domainbed.algorithms.kernels import coral_distance, gaussian_mmd
from domainbed.algorithms.matching import FeatureMatching
from domainbed.algorithms.registry import register


class CausIRL(FeatureMatching):
    """Classify, and keep the features alike under an intervention on the domain:

    min mean_d CE(c(z_d), y_d) + mmd_gamma · distance(A, B),   A = ∪_d first r_d rows of z_d,  B = the other rows,
    r_d uniform on 0 .. n_d - 1.

    Source: M. Chevalley et al., Invariant Causal Mechanisms through Distribution Matching, 2022, arXiv:2206.11646.
    """

    def penalty(self, features: list[Tensor]) -> Tensor:
        cuts = [np.random.randint(len(z)) for z in features]
        first = torch.cat([z[:cut] for z, cut in zip(features, cuts, strict=True)])
        second = torch.cat([z[cut:] for z, cut in zip(features, cuts, strict=True)])
        if min(len(first), len(second)) < 2:
            return first.new_zeros(())
        return self.distance(first, second).nan_to_num()


@register
class CausIRL_MMD(CausIRL):
    """CausIRL by the maximum mean discrepancy under a sum of Gaussian kernels."""

    distance = staticmethod(gaussian_mmd)


@register
class CausIRL_CORAL(CausIRL):
    """CausIRL by the difference of means and covariances."""

    distance = staticmethod(coral_distance)
