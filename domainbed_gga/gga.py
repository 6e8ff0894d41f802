"""Gradient-Guided Annealing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, ClassVar

from torch import Tensor

from domainbed_gga.precision import full_float32
from domainbed_gga.randomness import key
from domainbed_gga.search import PROPOSALS, Found, search
from domainbed_gga.similarity import Landscape, NoSecondDerivative
from domainbed_gga.wrapper import (
    HparamSpace,
    InputError,
    Minibatch,
    Wrapper,
    feature_extractor,
    log,
    predicts_randomly,
    undisturbed,
)


class GGA(Wrapper):
    """Early in training, before each update, look around the weights for a point where the domains' gradients agree.

    At the training steps gga_start..gga_end (both included), with one minibatch per domain and g_i the gradient of
    domain i's cross-entropy: search near θ for larger  min over pairs cos(g_i, g_j)  at a loss that rises by less
    than gga_loss_tolerance; only the feature extractor moves. Then, as in every step, the base's own update.

    ρ (gga_rho) is the size of one perturbation, not a radius: under `walk` rejected perturbations add up (a
    coordinate was 36 ρ away after 250 draws). The tolerance counts from the last accepted loss, so the loss may rise
    by it again with every acceptance. With one training domain there is no pair, and updates are the base's.

    Logged during the window: gga_sim_start, gga_sim_end (smallest cosine before and after the search), gga_accepted
    (candidates accepted), gga_gradients (domain gradients computed for candidates; without early rejection it would
    be candidates times domains), gga_loss_rise; at its first step gga_sim_noise, the standard deviation of the
    smallest cosine over three draws of dropout masks; and gga_fell_back, 1, where `walk` searches in place of `ascent`
    because the network has no second derivative.

    Source: A. Ballas, C. Diou, Gradient-Guided Annealing for Domain Generalization, CVPR 2025 (arXiv:2502.20162v5),
    Algorithm 1. The proposal `ascent` and gga_fixed_dropout are ours.
    """

    HPARAMS: ClassVar[HparamSpace] = {
        "gga_start": (100, lambda r: 100),
        "gga_end": (200, lambda r: r.choice([150, 200, 300])),
        "gga_rho": (1e-5, lambda r: 10 ** r.uniform(-6, -4)),
        "gga_search_steps": (250, lambda r: 250),
        "gga_ascent_steps": (5, lambda r: 5),
        "gga_loss_tolerance": (0.1, lambda r: 0.1),
        "gga_proposal": ("walk", lambda r: "walk"),
        "gga_fixed_dropout": (False, lambda r: False),
    }

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.proposal = hparams["gga_proposal"]
        if self.proposal not in PROPOSALS:
            raise InputError(f"gga_proposal is {self.proposal!r}; it is one of {', '.join(PROPOSALS)}")

    @classmethod
    def hparam_space(cls, dataset: str) -> HparamSpace:
        if dataset != "VLCS":
            return cls.HPARAMS
        _, draw = cls.HPARAMS["gga_rho"]
        return cls.HPARAMS | {"gga_rho": (1e-6, draw)}

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        step = int(self.update_count)
        self.update_count += 1
        in_window = self.hparams["gga_start"] <= step <= self.hparams["gga_end"]
        found = self.anneal(minibatches, step) if in_window and len(minibatches) > 1 else {}
        return self.base.update(minibatches, unlabeled) | found

    def anneal(self, minibatches: list[Minibatch], step: int) -> dict[str, float]:
        """Search around the weights and move to the best point found. Returns what to log."""
        moved = {name: p for name, p in feature_extractor(self.base).named_parameters() if p.requires_grad}
        if not moved:
            return {}
        loss, sizes = self.domain_loss(minibatches), [len(y) for _, y in minibatches]
        seed = key(int(self.seed), step)
        with undisturbed(self), full_float32():
            first = step == self.hparams["gga_start"]
            noise = {"gga_sim_noise": Landscape(loss, sizes, list(self.parameters()), seed).noise()} if first else {}
            # Noise that belongs to the method (MTL) would hide what a perturbation does: it is drawn once per search.
            fixed = self.hparams["gga_fixed_dropout"] or predicts_randomly(self.base, minibatches[0][0])
            found = self.search(loss, sizes, moved, seed=seed, fixed_draws=fixed)
        fell_back = {"gga_fell_back": 1.0} if self.proposal != self.hparams["gga_proposal"] else {}
        return {f"gga_{name}": float(value) for name, value in asdict(found).items()} | noise | fell_back

    def search(
        self, loss: Callable[[int], Tensor], sizes: list[int], moved: Mapping[str, Tensor], **random: Any
    ) -> Found:
        """The search that the hyperparameters describe."""
        own, measured = self.hparams, list(self.parameters())
        common = {"rho": own["gga_rho"], "tolerance": own["gga_loss_tolerance"], **random}
        if self.proposal == "ascent":
            try:
                return search(loss, sizes, moved, measured, proposal="ascent", steps=own["gga_ascent_steps"], **common)
            except NoSecondDerivative as error:
                log.warning("gga_proposal: ascent falls back to walk, because %s", error)
                self.proposal = "walk"
        return search(loss, sizes, moved, measured, proposal=self.proposal, steps=own["gga_search_steps"], **common)
