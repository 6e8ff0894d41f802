"""How often each method's step runs its feature extractor over the whole batch: counted, and needed at least."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import NamedTuple

import torch
from torch import Tensor, nn

from domainbed.algorithms import Algorithm, get_algorithm_class
from domainbed.algorithms.base import Minibatch
from domainbed.networks import FeatureNetwork
from domainbed.running.hparams import default_hparams

DOMAINS, CLASSES = 3, 10
ON_RESNETS = ("MixStyle", "MixStyle2")


class Passes(NamedTuple):
    """Passes per step, in units of one pass over the minibatches of all three domains, averaged over a cycle of turns.

    A backward pass through a backward pass counts once in `backward`; `second_order` says how many there are.
    """

    forward: Fraction
    backward: Fraction
    why: str = ""
    second_order: int = 0

    def __str__(self) -> str:
        return f"{self.forward} + {self.backward}"


ONE, HALF, TWO_THIRDS = Fraction(1), Fraction(1, 2), Fraction(2, 3)
JOINT = "one pass over all domains together"
EACH = "one pass over each domain"

# For networks without batch normalisation and dropout, at the default hyperparameters, all penalties on.
NEEDED = {
    "ERM": Passes(ONE, ONE, JOINT),
    "ERMPlusPlus": Passes(ONE, ONE, "the average of the weights is only copied"),
    "Fish": Passes(ONE, ONE, "a step on each domain, in turn"),
    "IRM": Passes(ONE, ONE, "the penalty needs the logits alone"),
    "GroupDRO": Passes(ONE, ONE, EACH),
    "Mixup": Passes(ONE, ONE, "as many pairs as domains"),
    "MLDG": Passes(TWO_THIRDS, TWO_THIRDS, "two of three domains held out: one pair of minibatches"),
    "CORAL": Passes(ONE, ONE, EACH),
    "MMD": Passes(ONE, ONE, EACH),
    "DANN": Passes(ONE, HALF, "the discriminator's turns need features, and no gradient of them"),
    "CDANN": Passes(ONE, HALF, "as DANN"),
    "MTL": Passes(ONE, ONE, EACH),
    "SagNet": Passes(2 * ONE, 2 * ONE, "two steps of the extractor"),
    "ARM": Passes(ONE, ONE, JOINT),
    "VREx": Passes(ONE, ONE, "the penalty needs the logits alone"),
    "RSC": Passes(ONE, ONE, "the mask needs the classifier alone"),
    "SD": Passes(ONE, ONE, "the penalty needs the logits alone"),
    "ANDMask": Passes(ONE, ONE, "a gradient of each domain"),
    "SANDMask": Passes(ONE, ONE, "a gradient of each domain"),
    "IGA": Passes(ONE, 2 * ONE, "a gradient of each domain, and the gradient of their spread", second_order=1),
    "SelfReg": Passes(ONE, ONE, JOINT),
    "Fishr": Passes(ONE, ONE, "gradients of samples are those of the classifier alone"),
    "TRM": Passes(ONE, ONE, "heads and Hessian products need the features alone"),
    "IB_ERM": Passes(ONE, ONE, JOINT),
    "IB_IRM": Passes(ONE, ONE, "the penalties need features and logits alone"),
    "CAD": Passes(ONE, ONE, JOINT),
    "CondCAD": Passes(ONE, ONE, JOINT),
    "Transfer": Passes(3 * ONE, 1 + TWO_THIRDS, "risk; gap, of two of three domains; features for the ascent"),
    "CausIRL_CORAL": Passes(ONE, ONE, EACH),
    "CausIRL_MMD": Passes(ONE, ONE, EACH),
    "EQRM": Passes(ONE, ONE, EACH),
    "RDM": Passes(ONE, ONE, "the penalty needs the risks alone"),
    "ADRMX": Passes(2 * ONE, TWO_THIRDS, "two extractors, which learn in one update of three"),
    "URM": Passes(ONE, ONE, "the discriminator's step needs no new features"),
    "SAM": Passes(2 * ONE, 2 * ONE, "a gradient at the weights, and one nearby"),
    "GSAM": Passes(2 * ONE, 2 * ONE, "a gradient at the weights, and one nearby"),
    "SAGM": Passes(2 * ONE, 2 * ONE, "a gradient at the weights, and one nearby"),
    "MixStyle": Passes(ONE, ONE, JOINT),
    "MixStyle2": Passes(ONE, ONE, "as many pairs as domains"),
}


def build(name: str, batch_size: int, shape: tuple[int, ...] | None = None) -> Algorithm:
    """The algorithm at its defaults (but small, untrained ResNets), past every warm-up."""
    hparams = default_hparams(name, "RotatedMNIST")
    hparams |= {key: 0 for key in hparams if key.endswith("iters") or key == "linear_steps"}
    hparams |= {"batch_size": batch_size, "grad_penalty": 0.1, "resnet18": True, "resnet50_augmix": False}
    hparams |= {"pretrained": False}
    torch.manual_seed(0)
    return get_algorithm_class(name)(shape or input_shape(name), CLASSES, DOMAINS, hparams).train()


def input_shape(name: str) -> tuple[int, int, int]:
    """What the method trains on here: MNIST_CNN's images where it can."""
    return (3, 224, 224) if name in ON_RESNETS else (1, 28, 28)


def minibatches(shape: tuple[int, int, int], batch_size: int) -> list[Minibatch]:
    """Noise, for every domain."""
    stream = torch.Generator().manual_seed(0)
    labels = torch.arange(batch_size) % CLASSES
    return [(torch.randn(batch_size, *shape, generator=stream), labels) for _ in range(DOMAINS)]


def cycle(algorithm: Algorithm) -> int:
    """After how many updates the adversaries' turns repeat."""
    return 1 + algorithm.hparams.get("d_steps_per_g_step", 0)


@contextmanager
def counting(algorithm: Algorithm) -> Iterator[Counter[str]]:
    """Counts samples that pass the first layer of a feature extractor, forward and backward."""
    samples: Counter[str] = Counter()

    def passed(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        size = len(output)
        samples["forward"] += size
        if output.requires_grad:
            output.register_hook(lambda gradient: samples.update(backward=size))

    networks = [module for module in algorithm.modules() if isinstance(module, FeatureNetwork)]
    convolutions = [[part for part in network.modules() if isinstance(part, nn.Conv2d)] for network in networks]
    handles = [layers[0].register_forward_hook(passed) for layers in convolutions if layers]
    try:
        yield samples
    finally:
        for handle in handles:
            handle.remove()


def count_passes(algorithm: Algorithm, batches: list[Minibatch]) -> Passes:
    """Passes per step, counted over one cycle after one step of warm-up."""
    algorithm.update(batches)
    with counting(algorithm) as samples:
        for _ in range(cycle(algorithm)):
            algorithm.update(batches)
    whole = sum(len(y) for _, y in batches) * cycle(algorithm)
    return Passes(Fraction(samples["forward"], whole), Fraction(samples["backward"], whole))
