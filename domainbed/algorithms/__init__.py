"""Domain-generalization algorithms and their registry."""

from domainbed.algorithms.adrmx import ADRMX
from domainbed.algorithms.arm import ARM
from domainbed.algorithms.base import Algorithm
from domainbed.algorithms.cad import CAD, CondCAD
from domainbed.algorithms.causirl import CausIRL_CORAL, CausIRL_MMD
from domainbed.algorithms.dann import CDANN, DANN
from domainbed.algorithms.eqrm import EQRM
from domainbed.algorithms.erm import ERM
from domainbed.algorithms.ermplusplus import ERMPlusPlus
from domainbed.algorithms.fish import Fish
from domainbed.algorithms.fishr import Fishr
from domainbed.algorithms.group_dro import GroupDRO
from domainbed.algorithms.iga import IGA
from domainbed.algorithms.information_bottleneck import IB_ERM, IB_IRM
from domainbed.algorithms.irm import IRM
from domainbed.algorithms.masks import ANDMask, SANDMask
from domainbed.algorithms.matching import CORAL, MMD
from domainbed.algorithms.mixup import Mixup
from domainbed.algorithms.mldg import MLDG
from domainbed.algorithms.mtl import MTL
from domainbed.algorithms.rdm import RDM
from domainbed.algorithms.registry import (
    algorithm_names,
    combinator_names,
    get_algorithm_class,
    register,
)
from domainbed.algorithms.rsc import RSC
from domainbed.algorithms.sagnet import SagNet
from domainbed.algorithms.sd import SD
from domainbed.algorithms.selfreg import SelfReg
from domainbed.algorithms.transfer import Transfer
from domainbed.algorithms.trm import TRM
from domainbed.algorithms.urm import URM
from domainbed.algorithms.vrex import VREx
from domainbed.names import ALGORITHMS

__all__ = [
    "ADRMX",
    "ALGORITHMS",
    "ARM",
    "CAD",
    "CDANN",
    "CORAL",
    "DANN",
    "EQRM",
    "ERM",
    "IB_ERM",
    "IB_IRM",
    "IGA",
    "IRM",
    "MLDG",
    "MMD",
    "MTL",
    "RDM",
    "RSC",
    "SD",
    "TRM",
    "URM",
    "ANDMask",
    "Algorithm",
    "CausIRL_CORAL",
    "CausIRL_MMD",
    "CondCAD",
    "ERMPlusPlus",
    "Fish",
    "Fishr",
    "GroupDRO",
    "Mixup",
    "SANDMask",
    "SagNet",
    "SelfReg",
    "Transfer",
    "VREx",
    "algorithm_names",
    "combinator_names",
    "get_algorithm_class",
    "register",
]
