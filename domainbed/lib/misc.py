"""DomainBed's miscellany under its import path; each name is defined in the module it is imported from here."""

from domainbed.algorithms.averages import ErmPlusPlusMovingAvg, MovingAverage
from domainbed.algorithms.contrastive import SupConLossLambda
from domainbed.algorithms.density import (
    EPS,
    Distribution1D,
    GaussianKernel,
    Kernel,
    KernelDensityEstimator,
    Nonparametric,
    Normal,
    continuous_bisect_fun_left,
    estimate_bandwidth,
)
from domainbed.algorithms.lars import LARS
from domainbed.algorithms.named_values import ParamDict, l2_between_dicts
from domainbed.algorithms.pairing import random_pairs_of_minibatches, split_meta_train_test
from domainbed.algorithms.transfer import distance, proj
from domainbed.reports.tables import print_row, print_separator
from domainbed.running.evaluation import accuracy
from domainbed.running.loading import make_weights_for_balanced_classes, split_dataset
from domainbed.running.log import Tee
from domainbed.seeds import seed_hash

__all__ = [
    "EPS",
    "LARS",
    "Distribution1D",
    "ErmPlusPlusMovingAvg",
    "GaussianKernel",
    "Kernel",
    "KernelDensityEstimator",
    "MovingAverage",
    "Nonparametric",
    "Normal",
    "ParamDict",
    "SupConLossLambda",
    "Tee",
    "accuracy",
    "continuous_bisect_fun_left",
    "distance",
    "estimate_bandwidth",
    "l2_between_dicts",
    "make_weights_for_balanced_classes",
    "print_row",
    "print_separator",
    "proj",
    "random_pairs_of_minibatches",
    "seed_hash",
    "split_dataset",
    "split_meta_train_test",
]
