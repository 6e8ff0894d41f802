"""ADRMX: additive disentanglement of domain features, with remixed features as augmentation."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from domainbed import networks
from domainbed.algorithms.base import Algorithm, Minibatch
from domainbed.algorithms.contrastive import SupConLossLambda
from domainbed.algorithms.dann import is_discriminator_turn
from domainbed.algorithms.minibatches import domain_labels, pool
from domainbed.algorithms.registry import register
from domainbed.hyperparameters import DROPOUT, Above, AtLeast, Between, Choice, Constant, HparamSpace
from domainbed.names import SMALL_IMAGES


def remix_pairs(y: Tensor, num_classes: int) -> Tensor:
    """Pairs of batch positions to remix, one for each class with at least two samples: (2, classes).

    As in DomainBed, whose published numbers this reproduces, a class of n_k samples draws from the first n_k positions
    of the batch, whatever class stands there.
    """
    counts = torch.bincount(y, minlength=num_classes).tolist()
    drawn = [torch.randperm(count)[:2].tolist() for count in counts]
    pairs = [pair for pair in drawn if len(pair) == 2]
    return torch.tensor(pairs, dtype=torch.int64, device=y.device).view(-1, 2).T


@register
class ADRMX(Algorithm):
    """Additive disentanglement: classify by a - b, features a of the label minus features b of the domain, m = a - b:

    min CE(c₁(a), Y) + CE(c₂(m), Y) + dclf · CE(c_d(b), domain) + cnt · (SCL(a) + SCL(m)) + rmxd · R - disc · L_D,
    R = 1/K Σ_pairs CE(c₁(m_i + b_j), y_i),   L_D = CE(d(m), domain),

    SCL the supervised contrastive loss, while the discriminator d minimises L_D in d_steps_per_g_step updates for
    every one of the others. Prediction: c₁(a).

    Source: B. Demirel, E. Aptoula, H. Ozkan, ADRMX, 2023, arXiv:2308.06624.
    """

    HPARAMS = {
        "cnt_lambda": (1.0, Constant(1.0)),
        "dclf_lambda": (1.0, Constant(1.0)),
        "disc_lambda": (0.75, Constant(0.75)),
        "rmxd_lambda": (1.0, Constant(1.0)),
        "d_steps_per_g_step": (2, Constant(2)),
        "beta1": (0.5, Constant(0.5, allowed=Between(0, 1, "[)"))),
        "mlp_width": (256, Constant(256, allowed=AtLeast(1))),
        "mlp_depth": (9, Choice(8, 9, 10, allowed=AtLeast(2))),
        "mlp_dropout": (0.0, Constant(0, allowed=DROPOUT)),
    }
    update_count: Tensor

    @classmethod
    def hparam_space(cls, dataset: str) -> HparamSpace:
        small = dataset in SMALL_IMAGES
        rates = (5e-4, 1e-3, 2e-3, 3e-3) if small else (2e-5, 3e-5, 4e-5, 5e-5)
        return cls.HPARAMS | {"lr": (3e-3 if small else 3e-5, Choice(*rates, allowed=Above(0)))}

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.num_classes = num_classes
        self.register_buffer("update_count", torch.zeros(1, dtype=torch.int64))
        self.featurizer_label = networks.Featurizer(input_shape, hparams)
        self.featurizer_domain = networks.Featurizer(input_shape, hparams)
        features = self.featurizer_label.n_outputs
        self.discriminator = networks.MLP(features, num_domains, hparams)
        self.classifier_label_1 = networks.Classifier(features, num_classes, is_nonlinear=True)
        self.classifier_label_2 = networks.Classifier(features, num_classes, is_nonlinear=True)
        self.classifier_domain = networks.Classifier(features, num_domains, is_nonlinear=True)
        self.network = nn.Sequential(self.featurizer_label, self.classifier_label_1)
        options = {"weight_decay": 0.0, "betas": (hparams["beta1"], 0.9)}
        self.disc_opt = self.adam(self.discriminator, **options)
        featurizers = (self.featurizer_label, self.featurizer_domain)
        classifiers = (self.classifier_label_1, self.classifier_label_2, self.classifier_domain)
        self.opt = self.adam(*featurizers, *classifiers, **options)
        self.contrast = SupConLossLambda()

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        self.update_count += 1
        x, y = pool(minibatches)
        domains = domain_labels(minibatches)
        if is_discriminator_turn(int(self.update_count), self.hparams["d_steps_per_g_step"]):
            with torch.no_grad():
                mixed = self.featurizer_label(x) - self.featurizer_domain(x)
            loss = F.cross_entropy(self.discriminator(mixed), domains)
            self.step(loss, self.disc_opt)
            return {"loss_disc": loss.item()}
        losses = self.losses(x, y, domains)
        self.step(losses["loss_total"], self.opt)
        return {name: loss.item() for name, loss in losses.items()}

    def losses(self, x: Tensor, y: Tensor, domains: Tensor) -> dict[str, Tensor]:
        """The objective, `loss_total`, and each of its terms."""
        a, b = self.featurizer_label(x), self.featurizer_domain(x)
        m = a - b
        i, j = remix_pairs(y, self.num_classes)
        remixed = F.cross_entropy(self.classifier_label_1(m[i] + b[j]), y[i], reduction="sum")
        losses = {
            "loss_cnt_int": self.contrast(a, y, domains),
            "loss_cnt_final": self.contrast(m, y, domains),
            "loss_clf_int": F.cross_entropy(self.classifier_label_1(a), y),
            "loss_clf_fin": F.cross_entropy(self.classifier_label_2(m), y),
            "loss_dmn": F.cross_entropy(self.classifier_domain(b), domains),
            "loss_disc": F.cross_entropy(self.discriminator(m), domains),
            "loss_remixed": remixed / self.num_classes,
        }
        total = losses["loss_clf_int"] + losses["loss_clf_fin"]
        total = total + self.hparams["dclf_lambda"] * losses["loss_dmn"]
        total = total + self.hparams["rmxd_lambda"] * losses["loss_remixed"]
        total = total + self.hparams["cnt_lambda"] * (losses["loss_cnt_int"] + losses["loss_cnt_final"])
        return losses | {"loss_total": total - self.hparams["disc_lambda"] * losses["loss_disc"]}

    def predict(self, x: Tensor) -> Tensor:
        return self.network(x)
