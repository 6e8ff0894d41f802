"""The published names and their order in tables. Imports no deep learning, so that reports need none."""

from collections.abc import Iterable, Sequence

ALGORITHMS = [
    "ERM", "ERMPlusPlus", "Fish", "IRM", "GroupDRO", "Mixup", "MLDG", "CORAL", "MMD", "DANN", "CDANN", "MTL",
    "SagNet", "ARM", "VREx", "RSC", "SD", "ANDMask", "SANDMask", "IGA", "SelfReg", "Fishr", "TRM", "IB_ERM",
    "IB_IRM", "CAD", "CondCAD", "Transfer", "CausIRL_CORAL", "CausIRL_MMD", "EQRM", "RDM", "ADRMX", "URM",
]  # fmt: skip

PRECISIONS = ("float32", "tf32", "bf16")

SPAWRIOUS = [f"Spawrious{kind}_{level}" for kind in ("O2O", "M2M") for level in ("easy", "medium", "hard")]

ENVIRONMENTS: dict[str, list[str]] = {
    "Debug28": ["0", "1", "2"],
    "Debug224": ["0", "1", "2"],
    "ColoredMNIST": ["+90%", "+80%", "-90%"],
    "RotatedMNIST": ["0", "15", "30", "45", "60", "75"],
    "VLCS": ["C", "L", "S", "V"],
    "PACS": ["A", "C", "P", "S"],
    "OfficeHome": ["A", "C", "P", "R"],
    "TerraIncognita": ["L100", "L38", "L43", "L46"],
    "DomainNet": ["clip", "info", "paint", "quick", "real", "sketch"],
    "SVIRO": ["aclass", "escape", "hilux", "i3", "lexus", "tesla", "tiguan", "tucson", "x5", "zoe"],
    "WILDSCamelyon": [f"hospital_{i}" for i in range(5)],
    "WILDSFMoW": [f"region_{i}" for i in range(6)],
    **{name: ["Test", "SC_group_1", "SC_group_2"] for name in SPAWRIOUS},
    "Digits": ["mnist", "photo", "optdigits", "fonts"],
    "Styles": ["emoji", "flat", "ink", "photo"],
}

# Digits and Styles are ours; the list that DomainBed publishes, and sweeps by default, stays what it was.
DATASETS = [name for name in ENVIRONMENTS if name not in ("Digits", "Styles")]

TASKS = ("domain_generalization", "domain_adaptation")

# Model selection methods by their short names; only leave-one-domain-out needs runs with two test environments.
LEAVE_ONE_OUT = "loo"
SELECTIONS = ("iid", LEAVE_ONE_OUT, "oracle")

# Their networks are small and start from scratch, so that their learning rates are larger.
SMALL_IMAGES = ("Debug28", "RotatedMNIST", "ColoredMNIST", "Digits")


def in_table_order(present: Iterable[str], known: Sequence[str]) -> list[str]:
    """The names of `known` that are present, in their order there, then the others in the order given."""
    present = list(present)
    return [name for name in known if name in present] + [name for name in present if name not in known]
