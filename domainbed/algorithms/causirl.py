"""CausIRL: distribution matching between two random mixtures of the domains."""

import numpy as np
import torch
from torch import Tensor

from domainbed.algorithms.kernels import coral_distance, gaussian_mmd
from domainbed.algorithms.matching import FeatureMatching
from domainbed.algorithms.registry import register


class CausIRL(FeatureMatching):
    """Classification with features whose distribution is invariant under an intervention on the domain:

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
    """CausIRL with the maximum mean discrepancy under a sum of Gaussian kernels as distance."""

    distance = staticmethod(gaussian_mmd)


@register
class CausIRL_CORAL(CausIRL):
    """CausIRL with the difference of means and covariances as distance."""

    distance = staticmethod(coral_distance)
