"""The algorithms, by the names they have in tables."""

from domainbed.algorithms.adrmx import ADRMX
from domainbed.algorithms.arm import ARM
from domainbed.algorithms.base import Algorithm
from domainbed.algorithms.cad import CAD, CondCAD
from domainbed.algorithms.dann import CDANN, DANN
from domainbed.algorithms.erm import ERM
from domainbed.algorithms.ermplusplus import ERMPlusPlus
from domainbed.algorithms.mtl import MTL
from domainbed.algorithms.registry import (
    algorithm_names,
    combinator_names,
    get_algorithm_class,
    register,
)
from domainbed.algorithms.rsc import RSC
from domainbed.algorithms.sagnet import SagNet
from domainbed.algorithms.selfreg import SelfReg
from domainbed.algorithms.transfer import Transfer
from domainbed.algorithms.urm import URM
from domainbed.catalogue import ALGORITHMS

__all__ = [
    "ADRMX",
    "ALGORITHMS",
    "ARM",
    "CAD",
    "CDANN",
    "DANN",
    "ERM",
    "MTL",
    "RSC",
    "URM",
    "Algorithm",
    "CondCAD",
    "ERMPlusPlus",
    "SagNet",
    "SelfReg",
    "Transfer",
    "algorithm_names",
    "combinator_names",
    "get_algorithm_class",
    "register",
]
