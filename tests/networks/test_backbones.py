"""Networks of torchvision and timm by name: normalisation, image size, what is frozen, GGA, records. Random weights."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import torch
from builders import seed_all
from torch import nn
from torchvision import models
from torchvision.transforms.v2.functional import normalize

from domainbed.algorithms import get_algorithm_class
from domainbed.datasets.augmentation import MEAN, STD
from domainbed.errors import InputError, UnknownName
from domainbed.networks import Featurizer
from domainbed.networks.backbones import check_backbone, recorded, summary
from domainbed.running.hparams import check_given_hparams, default_hparams

HPARAMS = default_hparams("ERM", "PACS") | {"resnet50_augmix": False, "pretrained": False}
SHAPE = (3, 64, 64)
LITE, VIT = "timm/tf_efficientnet_lite0", "timm/vit_tiny_patch16_224"


@pytest.fixture
def timm():
    return pytest.importorskip("timm")


def featurizer(backbone, shape=SHAPE, **hparams):
    return Featurizer(shape, HPARAMS | {"backbone": backbone} | hparams)


def minibatches(classes=5):
    generator = torch.Generator().manual_seed(0)
    return [
        (torch.randn(4, *SHAPE, generator=generator), torch.randint(classes, (4,), generator=generator))
        for _ in range(2)
    ]


def algorithm(name, **hparams):
    """With ResNet-18, five classes and two domains."""
    seed_all(0)
    chosen = default_hparams(name, "PACS") | {"pretrained": False, "backbone": "torchvision/resnet18"} | hparams
    return get_algorithm_class(name)(SHAPE, 5, 2, chosen)


@torch.no_grad()
def test_a_backbone_sees_images_with_the_normalisation_of_its_weights(timm):
    backbone = featurizer(LITE).eval()
    images = torch.rand(2, *SHAPE)
    config = backbone.network.pretrained_cfg
    assert tuple(config["mean"]) != tuple(MEAN)
    expected = backbone.network(normalize(images, config["mean"], config["std"]))
    torch.testing.assert_close(backbone(normalize(images, MEAN, STD)), expected, rtol=1e-4, atol=1e-5)


def test_imagenets_normalisation_is_left_as_it_is(timm):
    backbone = featurizer("timm/lcnet_050")
    assert backbone.network.pretrained_cfg["mean"] == tuple(MEAN)
    images = torch.randn(2, *SHAPE)
    assert torch.equal(backbone.renormalise(images), images)


def test_the_state_is_that_of_the_network_alone(timm):
    network = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    assert list(featurizer(LITE).state_dict()) == [f"network.{name}" for name in network.state_dict()]


@torch.no_grad()
@pytest.mark.parametrize(
    ("backbone", "shape", "n_outputs"),
    [
        (LITE, (3, 96, 64), 1280),
        ("timm/mobilenetv3_small_050", SHAPE, 1024),  # timm declares 288 features, and computes 1024 from them
        (VIT, (3, 224, 224), 192),
        (VIT, (3, 96, 64), 192),
        ("torchvision/resnet18", (3, 32, 32), 512),
        ("torchvision/resnet18", (1, 28, 28), 512),
    ],
)
def test_images_become_as_many_features_as_announced(backbone, shape, n_outputs, timm):
    network = featurizer(backbone, shape)
    assert network(torch.rand(2, *shape)).shape == (2, n_outputs)
    assert network.n_outputs == n_outputs


@pytest.mark.parametrize(
    ("backbone", "shape", "complaint"),
    [
        (VIT, (3, 100, 100), r"cannot take images of \(100, 100\) \(.*patch size.*'\{\"image_size\": 224\}'$"),
        ("timm/pit_ti_224", (3, 96, 96), r"pit_ti_224.in1k cannot take images of \(96, 96\) .*\"image_size\": 224"),
        (VIT, (1, 224, 224), r"takes images with 3 channels, not of shape \(1, 224, 224\)"),
    ],
)
def test_images_that_it_cannot_take_are_one_line(backbone, shape, complaint, timm):
    with pytest.raises(InputError, match=complaint) as error:
        featurizer(backbone, shape)
    assert isinstance(error.value, RuntimeError)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("backbone", "complaint"),
    [
        ("resnet18", "must begin with torchvision/ or timm/, not be 'resnet18'"),
        ("torchvision/resnet50.V2", r"unknown 'resnet50.V2' of torchvision \(nearest: resnet50"),
        ("torchvision/resnet18.IMAGENET1K_V2", "unknown 'resnet18.IMAGENET1K_V2'"),
        ("timm/eficientnet_lite0", r"unknown 'eficientnet_lite0' of timm \(nearest: efficientnet_lite0"),
        ("timm/resnet50.ram", r"unknown 'resnet50.ram' of timm \(nearest: resnet50.ram_in1k"),
    ],
)
def test_an_unknown_backbone_is_refused_with_the_nearest_names(backbone, complaint, timm):
    with pytest.raises(UnknownName, match=complaint):
        check_backbone({"backbone": backbone})


@pytest.mark.parametrize("other", ["resnet18", "vit", "dinov2"])
def test_two_choices_of_a_network_are_refused(other):
    with pytest.raises(InputError, match=f"hparams backbone and {other} choose a network each"):
        featurizer("torchvision/resnet50", **{other: True})


@pytest.mark.parametrize(
    ("backbone", "published"),
    [
        ("torchvision/resnet18", models.ResNet18_Weights.IMAGENET1K_V1),
        ("torchvision/resnet50.IMAGENET1K_V2", models.ResNet50_Weights.IMAGENET1K_V2),
    ],
)
def test_torchvisions_weights_are_those_of_the_name(backbone, published, monkeypatch, tmp_path):
    """A file under the name of the published one in torchvision's cache is what it loads."""
    network = models.get_model(backbone.split("/")[1].partition(".")[0])
    checkpoints = tmp_path / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    torch.save(network.state_dict(), checkpoints / urlsplit(published.url).path.rpartition("/")[2])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert torch.equal(featurizer(backbone, pretrained=True).network.conv1.weight, network.conv1.weight)


def test_a_network_without_published_weights_does_not_start_from_random_ones_unasked(timm):
    with pytest.raises(InputError, match=r"lcnet_035.*No pretrained weights"):
        featurizer("timm/lcnet_035", pretrained=True)


def test_names_under_which_the_authors_published_weights_are_converted(timm, tmp_path):
    """DINOv2's file has a mask token, which timm's network has not."""
    name = "vit_small_patch14_dinov2"
    network = timm.create_model(name, num_classes=0, dynamic_img_size=True).eval()
    torch.save(network.state_dict() | {"mask_token": torch.zeros(1, 384)}, tmp_path / "dinov2.pth")
    backbone = featurizer(f"timm/{name}", (3, 28, 28), pretrained=True, weights=str(tmp_path / "dinov2.pth")).eval()
    images = torch.randn(2, 3, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(backbone(images), network(images))


@pytest.mark.parametrize("backbone", ["timm/convnext_atto", VIT])
def test_weights_that_no_conversion_expects_are_refused_by_name(backbone, timm, tmp_path):
    torch.save({"patch_embed.proj.weight": torch.zeros(3), "conv1.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"other\.pth for timm/.* has other tensors \(.* unexpected: conv1\.weight"):
        featurizer(backbone, (3, 224, 224), pretrained=True, weights=str(tmp_path / "other.pth"))


def test_a_frozen_backbone_stays_as_it_is_while_the_classifier_learns():
    erm = algorithm("ERM", freeze_backbone=True)
    erm.train()
    before = {name: value.clone() for name, value in erm.network.state_dict().items()}
    erm.update(minibatches())
    after = erm.network.state_dict()
    assert [name for name in before if not torch.equal(before[name], after[name])] == ["1.weight", "1.bias"]
    assert not any(module.training for module in erm.featurizer.network.modules())


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_batchnorm_keeps_its_statistics_while_its_weights_learn(frozen, timm):
    backbone = featurizer("timm/lcnet_050", freeze_bn=frozen).train()
    norms = [module for module in backbone.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    means = [norm.running_mean.clone() for norm in norms]
    backbone(torch.randn(4, *SHAPE)).sum().backward()
    assert all(torch.equal(norm.running_mean, mean) == frozen for norm, mean in zip(norms, means, strict=True))
    assert all(norm.weight.grad is not None for norm in norms)


def test_features_are_dropped_out_and_then_activated(timm):
    backbone = featurizer("timm/lcnet_050", resnet_dropout=1.0)
    backbone.activation = nn.Softplus()
    assert torch.allclose(backbone(torch.rand(2, *SHAPE)), torch.full((2, 1280), 2.0).log())


def test_urm_ends_a_backbone_with_its_activation(timm):
    urm = algorithm("URM", backbone="timm/lcnet_050", urm_generator_output="sigmoid")
    features = urm.featurizer(minibatches()[0][0])
    assert isinstance(urm.featurizer.activation, nn.Sigmoid)
    assert features.min() >= 0
    assert features.max() <= 1


GGA = {"gga_start": 0, "gga_end": 0, "gga_search_steps": 3, "gga_rho": 1e-3, "lr": 0.0}


@pytest.mark.parametrize("frozen", [(), ("featurizer.network.conv1.weight",)], ids=["fine-tuned", "partly frozen"])
def test_gga_moves_what_is_trained_of_a_backbone(frozen):
    """With learning rate 0 only the search moves weights."""
    searched = algorithm("ERM_GGA", **GGA, freeze_bn=True)
    for name in frozen:
        searched.base.get_parameter(name).requires_grad_(False)
    before = {name: parameter.clone() for name, parameter in searched.named_parameters()}
    outcome = searched.update(minibatches())
    moved = {name for name, parameter in searched.named_parameters() if not torch.equal(parameter, before[name])}
    assert outcome["gga_sim_end"] > outcome["gga_sim_start"]
    assert moved == {name for name in before if name.startswith("featurizer.")} - set(frozen)


def test_the_hyperparameters_in_the_documentation_are_accepted(timm):
    page = (Path(__file__).parents[2] / "docs" / "backbones.md").read_text(encoding="utf-8")
    given = [json.loads(text) for text in re.findall(r"--hparams '(.*?)'", page)]
    assert len(given) == 4
    for hparams in given:
        check_given_hparams(hparams, "ERM", "PACS")
        check_backbone(hparams | {"weights": ""})
    for name in re.findall(r"`((?:timm|torchvision)/[a-z][\w.]+)`", page):
        check_backbone({"backbone": name})


def test_records_have_the_full_name_and_the_header_what_was_trained_of_it(timm):
    hparams = HPARAMS | {"backbone": "timm/resnet50"}
    assert recorded(hparams) == hparams | {"backbone": "timm/resnet50.a1_in1k"}
    assert summary(algorithm("Fish", freeze_bn=True), HPARAMS, SHAPE) == {
        "backbone": "torchvision/resnet18.IMAGENET1K_V1",
        "weights": "random",
        "BatchNorm": "frozen statistics",
        "parameters": "11176512, of which trained 11176512",
        "augmentation": "on",
    }
    frozen = summary(featurizer(VIT, (3, 224, 224), freeze_backbone=True), HPARAMS, (3, 224, 224))
    assert frozen["BatchNorm"] == "none"
    assert frozen["parameters"] == "5524416, of which trained 0"


def test_the_header_tells_where_images_have_another_size_than_the_network_was_pretrained_at(timm):
    """Where that is known: of timm's networks, not of torchvision's, and not of random weights."""
    pretrained, vit = {"pretrained": True}, featurizer(VIT)
    assert summary(vit, HPARAMS | pretrained, SHAPE)["images"] == "64 x 64, pretrained at 224 x 224"
    for network, hparams, shape in (
        (vit, pretrained, (3, 224, 224)), (vit, {"pretrained": False}, SHAPE), (algorithm("ERM"), pretrained, SHAPE),
    ):  # fmt: skip
        assert "images" not in summary(network, HPARAMS | hparams, shape)
