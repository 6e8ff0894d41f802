"""Gradient-Guided Annealing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, ClassVar

from torch import Tensor

from domainbed_gga.precision import full_float32
from domainbed_gga.randomness import key
from domainbed_gga.search import PROPOSALS, Noise, SearchResult, anneal
from domainbed_gga.similarity import DomainGradients, NoSecondDerivative
from domainbed_gga.state import preserve_state
from domainbed_gga.testbed import (
    Choice,
    Constant,
    HparamSpace,
    InputError,
    LogUniform,
    Minibatch,
    feature_extractor,
    predicts_randomly,
)
from domainbed_gga.wrapper import Wrapper, log


class GGA(Wrapper):
    """Early in training, before each update, search near the weights for a point where the domains' gradients agree.

    At the training steps gga_start..gga_end (both included), with one minibatch per domain and g_i the gradient of
    domain i's cross-entropy: search near θ for larger  min over pairs cos(g_i, g_j)  at a loss that rises by less
    than gga_loss_tolerance; only the feature extractor moves. Then, as in every step, the base's update.

    ρ (gga_rho) is the size of one perturbation, not a radius: under `walk` rejected perturbations add up, after n of
    them to ρ sqrt(n / 3) in a coordinate (root mean square). The tolerance counts from the last accepted loss, so the
    loss may rise by it again with every acceptance. With one training domain there is no pair: updates are the base's.

    Logged during the window: gga_sim_start, gga_sim_end (smallest cosine before and after the search), gga_accepted
    (candidates accepted), gga_gradients (domain gradients computed for candidates; without early rejection it would
    be candidates times domains), gga_loss_rise; at its first step gga_sim_noise, the standard deviation of the
    smallest cosine over three draws of dropout masks; and gga_fell_back, 1, where `walk` searches in place of `ascent`
    because the network has no second derivative.

    Attributes:
        noise: None, or (candidate, parameter name, shape) -> numbers in [-1, 1] that replace the drawn perturbations;
            candidates count from 0 in each training step, names are those inside the feature extractor.

    Source: A. Ballas, C. Diou, Gradient-Guided Annealing for Domain Generalization, CVPR 2025 (arXiv:2502.20162v5),
    Algorithm 1. The proposal `ascent` and gga_fixed_dropout are ours.
    """

    HPARAMS: ClassVar[HparamSpace] = {
        "gga_start": (100, Constant(100)),
        "gga_end": (200, Choice(150, 200, 300)),
        "gga_rho": (1e-5, LogUniform(-6, -4)),
        "gga_search_steps": (250, Constant(250)),
        "gga_ascent_steps": (5, Constant(5)),
        "gga_loss_tolerance": (0.1, Constant(0.1)),
        "gga_proposal": ("walk", Constant("walk", allowed=PROPOSALS)),
        "gga_fixed_dropout": (False, Constant(False)),
    }
    noise: Noise | None = None

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.proposal, self.several_domains = hparams["gga_proposal"], num_domains > 1

    @classmethod
    def hparam_space(cls, dataset: str) -> HparamSpace:
        if dataset != "VLCS":
            return cls.HPARAMS
        _, distribution = cls.HPARAMS["gga_rho"]
        return cls.HPARAMS | {"gga_rho": (1e-6, distribution)}

    @classmethod
    def check_hparams(cls, hparams: dict[str, Any]) -> None:
        if hparams["gga_proposal"] not in PROPOSALS:
            raise InputError(f"gga_proposal is {hparams['gga_proposal']!r}; it is one of {', '.join(PROPOSALS)}")
        start, end = hparams["gga_start"], hparams["gga_end"]
        if end < start:
            raise InputError(f"gga_end ({end}) is before gga_start ({start}): no step would be searched; raise gga_end")

    def next_update_is_long(self) -> bool:
        searches = self.several_domains and self.in_window(int(self.update_count))
        return searches or super().next_update_is_long()

    def in_window(self, step: int) -> bool:
        """Whether there is a search before the update of that step."""
        return self.hparams["gga_start"] <= step <= self.hparams["gga_end"]

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        step = int(self.update_count)
        self.update_count += 1
        searched = self.move_to_agreement(minibatches, step) if self.in_window(step) and len(minibatches) > 1 else {}
        return self.base.update(minibatches, unlabeled) | searched

    def move_to_agreement(self, minibatches: list[Minibatch], step: int) -> dict[str, float]:
        """Search near the weights and move to the best point found. Returns what to log."""
        extractor = feature_extractor(self.innermost)
        moved = {name: p for name, p in extractor.named_parameters() if p.requires_grad}
        if not moved:
            return {}
        loss, sizes = self.domain_loss(minibatches), [len(y) for _, y in minibatches]
        seed, deviation = key(int(self.seed), step), {}
        with preserve_state(self), full_float32():
            if step == self.hparams["gga_start"]:
                gradients = DomainGradients(loss, sizes, list(self.parameters()), seed)
                deviation = {"gga_sim_noise": gradients.similarity_deviation()}
            # Noise that belongs to the method (MTL) would hide what a perturbation does: it is drawn once per search.
            fixed = self.hparams["gga_fixed_dropout"] or predicts_randomly(self.innermost, minibatches[0][0])
            result = self.anneal_by_proposal(loss, sizes, moved, seed=seed, fixed_draws=fixed, noise=self.noise)
        fell_back = {"gga_fell_back": 1.0} if self.proposal != self.hparams["gga_proposal"] else {}
        return {f"gga_{name}": float(value) for name, value in asdict(result).items()} | deviation | fell_back

    def anneal_by_proposal(
        self, loss: Callable[[int], Tensor], sizes: list[int], moved: Mapping[str, Tensor], **random: Any
    ) -> SearchResult:
        """The search that the hyperparameters describe; `walk` where `ascent` has no second derivative."""
        hparams, measured = self.hparams, list(self.parameters())
        common = {"rho": hparams["gga_rho"], "tolerance": hparams["gga_loss_tolerance"], **random}
        if self.proposal == "ascent":
            steps = hparams["gga_ascent_steps"]
            try:
                return anneal(loss, sizes, moved, measured, proposal="ascent", steps=steps, **common)
            except NoSecondDerivative as error:
                log.warning("gga_proposal: ascent falls back to walk, because %s", error)
                self.proposal = "walk"
        steps = hparams["gga_search_steps"]
        return anneal(loss, sizes, moved, measured, proposal=self.proposal, steps=steps, **common)
