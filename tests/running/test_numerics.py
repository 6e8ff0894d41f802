"""Precision, channels last and compiled networks: what is recorded, resumed, and computed."""

import copy
import functools
import shutil

import pytest
import torch
from builders import DEVICE, IMAGE, build, equal_states, train
from tiny_runs import command, read, run, untimed

from domainbed.errors import InputError
from domainbed.names import PRECISIONS
from domainbed.running import checkpoints
from domainbed.running.arguments import Arguments
from domainbed.running.checks import check_arguments
from domainbed.running.experiment import seed_everything
from domainbed.running.numerics import Numerics
from domainbed.scripts import sweep
from domainbed.scripts import train as train_script
from domainbed.sweeping.jobs import Job

compiles = pytest.mark.skipif(
    not hasattr(torch.compiler, "set_stance") or shutil.which("g++") is None,
    reason="torch.compile needs PyTorch 2.6 and a C++ compiler",
)


@pytest.fixture(autouse=True)
def switches():
    """Leave PyTorch's switches as they were."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    yield
    matmul.allow_tf32, cudnn.allow_tf32 = before


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """Compiled code of the test's own, from nothing."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def trained(name, numerics, steps=2, **hparams):
    """An algorithm after some updates, and their metrics."""
    algorithm = numerics.prepare(build(name, shape=IMAGE, **hparams))
    with numerics.update(DEVICE):
        return algorithm, train(algorithm, range(steps), shape=IMAGE)


def test_they_are_recorded_where_they_are_given(tmp_path):
    given = {"precision": "bf16", "channels_last": True, "compile": True}
    assert Arguments(**given).record() == Arguments().record() | given
    assert len(Arguments(precision="float32", channels_last=False, compile=False).record()) == 16
    flags = ["--precision", "bf16", "--channels_last"]
    assert train_script.main([*command(tmp_path / "run", "--steps", "1"), *flags]) == 0
    args = read(tmp_path / "run")[0]["args"]
    assert (args["precision"], args["channels_last"], len(args)) == ("bf16", True, 18)


def test_a_run_is_not_continued_with_others(tmp_path):
    next(run(tmp_path, precision="bf16").records())
    with pytest.raises(InputError, match="another run's results \\(precision 'bf16'\\)"):
        list(run(tmp_path).records())


def test_a_sweep_hands_them_on_and_names_its_jobs_by_them_only_where_they_are_given(monkeypatch, tmp_path):
    launched = []
    monkeypatch.setattr(Job, "launch", lambda jobs, *_: launched.append(jobs) or [])
    base = ["launch", "--datasets", "Debug28", "--algorithms", "ERM", "--n_trials", "1", "--n_hparams", "1"]
    base += ["--output_dir", str(tmp_path), "--skip_confirmation"]
    sweep.main(base)
    sweep.main([*base, "--precision", "bf16", "--channels_last", "--compile"])
    plain, given = (jobs[0].train_args for jobs in launched)
    del plain["output_dir"], given["output_dir"]  # named by the others
    assert given == plain | {"precision": "bf16", "channels_last": True, "compile": True}
    assert not plain.keys() & {"precision", "channels_last", "compile"}


@pytest.mark.parametrize("given", [{"precision": "bf16"}, {"channels_last": True}, {"precision": "tf32"}])
def test_an_interrupted_run_continues_exactly(given, tmp_path):
    given = given | {"algorithm": "GGA"}
    expected = list(run(tmp_path / "whole", **given).records())
    stream = run(tmp_path / "broken", **given).records()
    next(stream), next(stream)
    assert untimed(list(run(tmp_path / "broken", **given).records())) == untimed(expected[2:])
    first, second = (checkpoints.load(tmp_path / name / "model.pkl")["model_dict"] for name in ("whole", "broken"))
    assert equal_states(first, second)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_tf32_is_allowed_where_it_is_asked_for_and_nowhere_else(precision):
    torch.backends.cudnn.allow_tf32 = True  # PyTorch's default
    with Numerics(precision).update(DEVICE):
        allowed = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    assert allowed == (precision == "tf32",) * 2


def test_without_them_an_update_computes_what_it_always_did():
    plain = build("GGA", shape=IMAGE)
    expected = train(plain, range(2), shape=IMAGE)
    algorithm, metrics = trained("GGA", Numerics())
    assert metrics == expected
    assert equal_states(algorithm.state_dict(), plain.state_dict())


def test_seeding_for_the_devices_in_use_gives_the_draws_of_torch_manual_seed():
    torch.manual_seed(7)
    expected = torch.rand(3), torch.initial_seed()
    seed_everything(7)
    assert equal_states((torch.rand(3), torch.initial_seed()), expected)


@pytest.mark.parametrize("given", [{"precision": "bf16"}, {"channels_last": True}])
def test_the_numbers_are_close_to_those_without(given):
    _, expected = trained("CORAL", Numerics())
    algorithm, metrics = trained("CORAL", Numerics(**given))
    assert [update["loss"] for update in metrics] == pytest.approx([update["loss"] for update in expected], rel=0.02)
    assert {tensor.dtype for tensor in algorithm.parameters()} == {torch.float32}


def test_bf16_computes_features_in_bfloat16_in_updates_and_evaluations():
    algorithm, x = build("ERM", shape=IMAGE), torch.zeros(2, *IMAGE, device=DEVICE)
    for computing in (Numerics("bf16").update(DEVICE), Numerics("bf16").evaluation(DEVICE)):
        with computing:
            assert algorithm.predict(x).dtype == torch.bfloat16


def test_bf16_sees_weights_that_an_update_moves():
    """SAM's second gradient is one at other weights; where these were ignored, its step would be ERM's."""
    (erm, _), (sam, _) = trained("ERM", Numerics("bf16"), 1), trained("SAM", Numerics("bf16"), 1, rho=0.5)
    assert not equal_states(dict(erm.named_parameters()), dict(sam.named_parameters()))


def test_a_search_computes_in_float32_under_bf16():
    """From equal weights it takes the same decisions."""
    (_, [plain]), (_, [bf16]) = trained("GGA", Numerics(), 1), trained("GGA", Numerics("bf16"), 1)
    searched = [name for name in plain if name.startswith("gga_")]
    assert "gga_sim_end" in searched
    assert [bf16[name] for name in searched] == [plain[name] for name in searched]
    assert bf16["loss"] != plain["loss"]


def test_channels_last_changes_the_layout_of_every_convolution_and_its_output():
    algorithm = Numerics(channels_last=True).prepare(build("ERM", shape=IMAGE))
    convolutions = [module for module in algorithm.modules() if isinstance(module, torch.nn.Conv2d)]
    assert all(layer.weight.is_contiguous(memory_format=torch.channels_last) for layer in convolutions)
    output = convolutions[0](torch.zeros(2, *IMAGE, device=DEVICE))
    assert output.is_contiguous(memory_format=torch.channels_last)


@compiles
def test_a_compiled_run_continues_exactly_and_its_checkpoints_have_the_usual_names(compiler, tmp_path):
    given = {"compile": True, "steps": 3, "checkpoint_freq": 1}
    expected = list(run(tmp_path / "whole", **given).records())
    stream = run(tmp_path / "broken", **given).records()
    next(stream), next(stream)
    broken = run(tmp_path / "broken", **given)
    assert untimed(list(broken.records())) == untimed(expected[2:])
    whole, resumed = (checkpoints.load(tmp_path / name / "model.pkl")["model_dict"] for name in ("whole", "broken"))
    assert equal_states(whole, resumed)
    plain = run(tmp_path / "plain", steps=3, checkpoint_freq=1)
    records = list(plain.records())
    assert whole.keys() == checkpoints.load(tmp_path / "plain" / "model.pkl")["model_dict"].keys()
    assert [record["loss"] for record in expected] == pytest.approx([record["loss"] for record in records], rel=1e-4)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] >= 1
    # A copy, as averages of weights make it, computes with weights of its own.
    x, copied = torch.rand(4, 3, 28, 28), copy.deepcopy(broken.algorithm)
    torch.nn.init.zeros_(copied.classifier.weight), torch.nn.init.zeros_(copied.featurizer.conv1.weight)
    assert not torch.equal(copied.featurizer(x), broken.algorithm.featurizer(x))


@pytest.mark.skipif(not hasattr(torch.compiler, "set_stance"), reason="--compile needs PyTorch 2.6")
def test_a_second_derivative_of_a_compiled_network_is_one_line(compiler, monkeypatch):
    # What refuses is common to all backends; this one compiles in no time.
    quick = functools.partialmethod(torch.nn.Module.compile, backend="aot_eager")
    monkeypatch.setattr(torch.nn.Module, "compile", quick)
    with pytest.raises(InputError, match="--compile: the algorithm needs second derivatives of its feature extractor"):
        trained("GGA", Numerics(compiled=True), gga_proposal="ascent")


def test_what_cannot_be_computed_with_is_refused_before_anything_is_written(monkeypatch):
    with pytest.raises(InputError, match="--precision is 'fp8'; it is one of float32, tf32, bf16"):
        check_arguments(Arguments(dataset="Debug28", precision="fp8"))
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(InputError, match=r"--compile needs (PyTorch 2.6|a C\+\+ compiler)"):
        check_arguments(Arguments(dataset="Debug28", compile=True))
