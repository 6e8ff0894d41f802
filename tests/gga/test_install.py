"""One line at the end of an original checkout's algorithms.py. The stand-in has what the original offers, no more."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import domainbed_gga

ALGORITHMS = '''
import torch
import torch.nn.functional as F

ALGORITHMS = ["ERM", "Centred"]


def get_algorithm_class(algorithm_name):
    if algorithm_name not in globals():
        raise NotImplementedError("Algorithm not found: {}".format(algorithm_name))
    return globals()[algorithm_name]


class Algorithm(torch.nn.Module):
    def __init__(self, input_shape, num_classes, num_domains, hparams):
        super(Algorithm, self).__init__()
        self.hparams = hparams


class ERM(Algorithm):
    def __init__(self, input_shape, num_classes, num_domains, hparams):
        super(ERM, self).__init__(input_shape, num_classes, num_domains, hparams)
        self.featurizer = torch.nn.Sequential(torch.nn.Linear(input_shape[0], 6), torch.nn.Tanh())
        self.classifier = torch.nn.Linear(6, num_classes)
        self.network = torch.nn.Sequential(self.featurizer, self.classifier)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=self.hparams["lr"])

    def update(self, minibatches, unlabeled=None):
        all_x = torch.cat([x for x, y in minibatches])
        all_y = torch.cat([y for x, y in minibatches])
        loss = F.cross_entropy(self.predict(all_x), all_y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.item()}

    def predict(self, x):
        return self.network(x)


class Centred(ERM):
    def update(self, minibatches, unlabeled=None):
        x = torch.cat([x for x, y in minibatches])
        loss = F.cross_entropy(self.predict(x), torch.cat([y for x, y in minibatches]))
        loss = loss + self.hparams["centre"] * self.featurizer(x).mean() ** 2
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.item()}


class SAM(ERM):
    """A fork's own SAM."""
'''

HPARAMS = """
import numpy as np
from domainbed.lib import misc


def _hparams(algorithm, dataset, random_seed):
    hparams = {}

    def _hparam(name, default, random_val_fn):
        random_state = np.random.RandomState(misc.seed_hash(random_seed, name))
        hparams[name] = (default, random_val_fn(random_state))

    _hparam("lr", 1e-3, lambda r: 10 ** r.uniform(-4.5, -2.5))
    if algorithm == "Centred":
        _hparam("centre", 1.0, lambda r: 10 ** r.uniform(-1, 1))
    return hparams


def default_hparams(algorithm, dataset):
    return {a: b for a, (b, c) in _hparams(algorithm, dataset, 0).items()}


def random_hparams(algorithm, dataset, seed):
    return {a: c for a, (b, c) in _hparams(algorithm, dataset, seed).items()}
"""

MISC = """
import hashlib


def seed_hash(*args):
    return int(hashlib.md5(str(args).encode("utf-8")).hexdigest(), 16) % (2**31)
"""

SCRIPT = """
import json, sys
import torch

if {alone}:  # an editable install answers for modules that the checkout does not have
    sys.meta_path = [finder for finder in sys.meta_path if "editable" not in str(finder).lower()]
from domainbed import algorithms, hparams_registry

report = {"file": algorithms.__file__}
combinations = ["GGA", "GGA_L", "ERM_GGA", "Centred_GGA", "Centred_GGA_L", "GSAM_GGA", "ERM_GGA_GGA_L"]
for name in ["ERM", "Centred", "SAGM", *combinations]:
    hparams = hparams_registry.default_hparams(name, "RotatedMNIST") | {"gga_start": 1, "gga_search_steps": 3}
    torch.manual_seed(0)
    algorithm = algorithms.get_algorithm_class(name)((4,), 3, 2, hparams)
    metrics = [algorithm.update([(torch.randn(5, 4) + d, torch.randint(3, (5,))) for d in range(2)]) for _ in range(3)]
    loaded = algorithms.get_algorithm_class(name)((4,), 3, 2, hparams)
    loaded.load_state_dict(algorithm.state_dict())
    algorithm.eval(), loaded.eval()
    x = torch.randn(5, 4)
    report[name] = {
        "metrics": metrics,
        "loads": torch.equal(algorithm.predict(x), loaded.predict(x)),
        "defaults": hparams_registry.default_hparams(name, "VLCS"),
        "random": hparams_registry.random_hparams(name, "VLCS", 3),
    }
report["algorithms"] = algorithms.ALGORITHMS
report["own_sam"] = algorithms.SAM.__doc__

def stepped(update):  # passes, and calls of an update that has been replaced
    hparams = hparams_registry.default_hparams("GGA_L", "RotatedMNIST")
    algorithm = algorithms.get_algorithm_class("GGA_L")((4,), 3, 2, hparams)
    usual, calls, passes = algorithms.ERM.update, [], []
    algorithm.base.network.register_forward_hook(lambda *_: passes.append(1))
    if update:
        algorithms.ERM.update = lambda self, *data: calls.append(1) or usual(self, *data)
    algorithm.update([(torch.randn(5, 4) + d, torch.randint(3, (5,))) for d in range(2)])
    algorithms.ERM.update = usual
    return [len(passes), len(calls)]

report["usual"], report["replaced"] = stepped(False), stepped(True)
report["window"] = ""
try:
    algorithms.get_algorithm_class("GGA")((4,), 3, 2, hparams_registry.default_hparams("GGA", "PACS") | {"gga_end": 9})
except ValueError as error:
    report["window"] = str(error)
report["refused"] = []
for name in ("Unknown_GGA", "SWAD", "Centred_GGA_SWAD"):
    try:
        algorithms.get_algorithm_class(name)((4,), 3, 2, {})
    except NotImplementedError as error:
        report["refused"].append(str(error))
print(json.dumps(report))
"""


@pytest.fixture(scope="module", params=["as installed", "alone"])
def report(request, tmp_path_factory):
    """What happens in a process that runs from the checkout's folder, as its train script does."""
    checkout = tmp_path_factory.mktemp("checkout")
    line = "import domainbed_gga.install; domainbed_gga.install.into(globals())\n"
    files = {"__init__.py": "", "algorithms.py": ALGORITHMS + line, "hparams_registry.py": HPARAMS}
    for name, text in (files | {"lib/__init__.py": "", "lib/misc.py": MISC}).items():
        path = checkout / "domainbed" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    root = Path(domainbed_gga.__file__).parent.parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(checkout), str(root)])}
    command = [sys.executable, "-c", SCRIPT.replace("{alone}", str(request.param == "alone"))]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]) | {"err": done.stderr, "checkout": str(checkout)}


def test_the_checkouts_own_names_stay_what_they_were(report):
    assert report["file"].startswith(report["checkout"])
    assert report["algorithms"] == ["ERM", "Centred"]
    assert report["own_sam"] == "A fork's own SAM."
    assert "SAM is the name of a class of this checkout" in report["err"]
    assert report["ERM"]["defaults"].keys() == {"lr"}


def test_combinations_are_found_trained_and_loaded(report):
    for name in ("GGA", "ERM_GGA", "Centred_GGA", "GSAM_GGA"):
        before, *during = report[name]["metrics"]
        assert before.keys() == {"loss"}
        assert all(metrics["gga_sim_end"] >= metrics["gga_sim_start"] for metrics in during)
    for name in ("GGA_L", "Centred_GGA_L", "ERM_GGA_GGA_L"):
        assert all(-1 <= metrics["gga_l_sim"] <= 1 for metrics in report[name]["metrics"])
    assert all(value["loads"] for value in report.values() if isinstance(value, dict))
    assert report["GGA"]["metrics"] == report["ERM_GGA"]["metrics"]


def test_hparams_are_the_bases_unchanged_and_the_wrappers_own(report):
    for kind in ("defaults", "random"):
        base, wrapped = report["Centred"][kind], report["Centred_GGA"][kind]
        assert {name: wrapped[name] for name in base} == base
        assert len(wrapped) == len(base) + 8
    assert report["Centred_GGA"]["defaults"]["gga_rho"] == 1e-6
    assert report["Centred_GGA_L"]["defaults"]["gga_l_gamma"] == 1e-3
    assert report["SAGM"]["defaults"]["alpha"] == 0.001
    assert report["GSAM_GGA"]["random"]["alpha"] in (0.01, 0.02, 0.05, 0.1)
    assert report["GGA"]["random"]["gga_end"] in (150, 200, 300)
    nested = report["ERM_GGA_GGA_L"]["defaults"]
    assert nested == report["ERM_GGA"]["defaults"] | report["GGA_L"]["defaults"]


def test_the_noise_of_gga_l_joins_the_update_that_erm_has(report):
    """One pass for each of two domains where the update is the original's; one more where it has been replaced."""
    assert report["usual"] == [2, 0]
    assert report["replaced"] == [3, 1]


def test_random_hparams_equal_those_of_the_bundled_testbed(report):
    from domainbed import hparams_registry

    bundled = hparams_registry.random_hparams("GGA", "VLCS", 3)
    drawn = {name: value for name, value in report["GGA"]["random"].items() if name.startswith("gga")}
    assert drawn == {name: bundled[name] for name in drawn}


def test_what_a_checkout_cannot_do_is_said(report):
    unknown, swad, nested = report["refused"]
    assert unknown == "Algorithm not found: Unknown_GGA"
    assert swad.startswith("SWAD: SWAD averages weights within the training loop")
    assert swad.endswith("train ERM here")
    assert nested.endswith("train Centred_GGA here")
    assert report["window"].startswith("gga_end (9) is before gga_start (100)")
