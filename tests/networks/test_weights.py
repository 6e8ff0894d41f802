"""Weights from a file: what is accepted, what is refused and how, and what the records say of it."""

import hashlib

import pytest
import torch
from torchvision import models

from domainbed.errors import InputError
from domainbed.networks import Featurizer
from domainbed.networks.backbones import recorded
from domainbed.running.hparams import default_hparams

SHAPE = (3, 64, 64)
HPARAMS = default_hparams("ERM", "PACS") | {"resnet50_augmix": False, "backbone": "torchvision/resnet18"}


@pytest.fixture(scope="module")
def network():
    """A ResNet-18 with a classifier for seven classes and statistics that have moved."""
    network = models.resnet18(num_classes=7)
    network(torch.rand(4, *SHAPE))
    return network.eval()


@torch.no_grad()
def features(path) -> torch.Tensor:
    return Featurizer(SHAPE, HPARAMS | {"weights": str(path)}).eval()(image())


def image() -> torch.Tensor:
    return torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(0))


def save_safetensors(state, path):
    pytest.importorskip("safetensors.torch").save_file({k: v.contiguous() for k, v in state.items()}, path)


def without_counters(state):
    return {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("plain.pth", torch.save),
        ("of_a_training.tar", lambda state, path: torch.save({"epoch": 3, "state_dict": state}, path)),
        ("before_pytorch_0.4.pth", lambda state, path: torch.save(without_counters(state), path)),
        ("no_classifier.pth", lambda s, path: torch.save({k: v for k, v in s.items() if k[:3] != "fc."}, path)),
        ("model.safetensors", save_safetensors),
    ],
)
def test_the_features_are_those_of_the_saved_network_whatever_its_classifier(name, save, network, tmp_path):
    save(network.state_dict(), tmp_path / name)
    with torch.no_grad():
        pooled = torch.nn.Sequential(*list(network.children())[:-1])(image()).flatten(1)
    torch.testing.assert_close(features(tmp_path / name), pooled)


def test_the_contracts_choices_take_weights_too(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    chosen = HPARAMS | {"backbone": "", "resnet18": True, "weights": str(tmp_path / "weights.pth")}
    assert torch.equal(Featurizer(SHAPE, chosen).network.conv1.weight, network.conv1.weight)


def test_other_tensors_are_refused_by_name_in_one_line(network, tmp_path):
    state = network.state_dict()
    del state["layer4.1.conv2.weight"], state["bn1.bias"]
    state |= {"conv1.weight": torch.zeros(64, 1, 7, 7), "gate.weight": torch.zeros(1)}
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(InputError) as error:
        features(tmp_path / "other.pth")
    assert str(error.value) == (
        f"{tmp_path}/other.pth for torchvision/resnet18 has other tensors (2 missing: bn1.bias, layer4.1.conv2.weight;"
        " 1 unexpected: gate.weight; 1 of another shape: conv1.weight (64, 1, 7, 7) instead of (64, 3, 7, 7));"
        " give the backbone that these weights are of"
    )


def test_the_error_names_three_tensors_and_counts_the_rest(tmp_path):
    torch.save(models.resnet34().state_dict(), tmp_path / "deeper.pth")
    with pytest.raises(InputError, match=r"\(96 unexpected: (\S+, ){3}\.\.\.\)"):
        features(tmp_path / "deeper.pth")


class Writer:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_file_with_code_is_refused_and_the_code_not_executed(tmp_path):
    torch.save({"conv1.weight": Writer(tmp_path / "written")}, tmp_path / "code.pth")
    with pytest.raises(InputError, match=r"code\.pth cannot be read as weights") as error:
        features(tmp_path / "code.pth")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize("content", [[torch.zeros(1)], {}, {"epoch": 3}], ids=str)
def test_a_file_without_tensors_by_name_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "list.pth")
    with pytest.raises(InputError, match="no tensors by name"):
        features(tmp_path / "list.pth")


def test_a_file_that_is_missing_torn_or_contradicted_is_refused(tmp_path):
    (tmp_path / "torn.pth").write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(InputError, match="there is no file"):
        features(tmp_path / "nowhere.pth")
    with pytest.raises(InputError, match="cannot be read as weights"):
        features(tmp_path / "torn.pth")
    with pytest.raises(InputError, match="pretrained is false; leave one of them out"):
        recorded(HPARAMS | {"weights": str(tmp_path / "torn.pth"), "pretrained": False})


def test_the_checksum_is_recorded_and_one_that_is_given_must_be_the_files(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"weights")
    hparams, digest = HPARAMS | {"weights": str(tmp_path / "weights.pth")}, hashlib.sha256(b"weights").hexdigest()
    assert recorded(hparams)["weights_sha256"] == digest
    assert recorded(hparams | {"weights_sha256": digest.upper()})["weights_sha256"] == digest
    with pytest.raises(InputError, match=f"has SHA-256 {digest}, not the weights_sha256 given; fetch it again"):
        recorded(hparams | {"weights_sha256": "0" * 64})


def test_hyperparameters_without_a_backbone_are_recorded_as_they_are():
    default = default_hparams("ERM", "PACS")
    assert recorded(default) == default


@pytest.mark.parametrize("hparams", [{"weights": __file__}, {"freeze_backbone": True}], ids=str)
def test_small_images_without_a_backbone_refuse_what_only_a_backbone_reads(hparams):
    with pytest.raises(InputError, match=r"inputs of shape \(1, 28, 28\) get MNIST_CNN, which is no backbone"):
        Featurizer((1, 28, 28), default_hparams("ERM", "RotatedMNIST") | hparams)
