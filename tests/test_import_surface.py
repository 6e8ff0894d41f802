"""Every module and name that code written for DomainBed imports, with its parameters, values and errors."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import domainbed

ROOT = Path(domainbed.__file__).parent
ALGORITHMS = [
    "ERM", "ERMPlusPlus", "Fish", "IRM", "GroupDRO", "Mixup", "MLDG", "CORAL", "MMD", "DANN", "CDANN", "MTL",
    "SagNet", "ARM", "VREx", "RSC", "SD", "ANDMask", "SANDMask", "IGA", "SelfReg", "Fishr", "TRM", "IB_ERM",
    "IB_IRM", "CAD", "CondCAD", "Transfer", "CausIRL_CORAL", "CausIRL_MMD", "EQRM", "RDM", "ADRMX", "URM",
]  # fmt: skip
DATASETS = [
    "Debug28", "Debug224", "ColoredMNIST", "RotatedMNIST", "VLCS", "PACS", "OfficeHome", "TerraIncognita", "DomainNet",
    "SVIRO", "WILDSCamelyon", "WILDSFMoW", "SpawriousO2O_easy", "SpawriousO2O_medium", "SpawriousO2O_hard",
    "SpawriousM2M_easy", "SpawriousM2M_medium", "SpawriousM2M_hard",
]  # fmt: skip

# What DomainBed's contract gives a signature. A callable here may take more, or need less, where that has a default.
CALLS = {
    "algorithms": [
        "get_algorithm_class(name)",
        *(f"{name}(input_shape, num_classes, num_domains, hparams)" for name in ["Algorithm", *ALGORITHMS]),
        "Algorithm.update(self, minibatches, unlabeled=None)",
        "Algorithm.predict(self, x)",
    ],
    "datasets": [
        "get_dataset_class(name)",
        "num_environments(name)",
        *(f"{name}(root, test_envs, hparams)" for name in DATASETS),
    ],
    "hparams_registry": ["default_hparams(algorithm, dataset)", "random_hparams(algorithm, dataset, seed)"],
    "model_selection": [
        "get_test_records(records)",
        "SelectionMethod.hparams_accs(records)",
        "SelectionMethod.sweep_acc(records)",
    ],
    "command_launchers": [f"{name}_launcher(commands)" for name in ("local", "dummy", "multi_gpu")],
    "networks": [
        "Featurizer(input_shape, hparams)",
        "Classifier(in_features, out_features, is_nonlinear=False)",
        "MLP(n_inputs, n_outputs, hparams)",
        "ResNet(input_shape, hparams)",
        "MNIST_CNN(input_shape)",
        "ContextNet(input_shape)",
        "DinoV2(input_shape, hparams)",
        "WholeFish(input_shape, num_classes, hparams, weights=None)",
        "remove_batch_norm_from_resnet(model)",
    ],
    "lib.misc": [
        "seed_hash(*args)",
        "split_dataset(dataset, n, seed=0)",
        "make_weights_for_balanced_classes(dataset)",
        "accuracy(network, loader, weights, device)",
        "print_row(row, colwidth=10, latex=False)",
        "Tee(fname, mode='a')",
        "print_separator()",
        "random_pairs_of_minibatches(minibatches)",
        "split_meta_train_test(minibatches, num_meta_test=1)",
        "l2_between_dicts(a, b)",
        "distance(h1, h2)",
        "proj(delta, adv_h, h)",
        "MovingAverage(ema, oneminusema_correction=True)",
        "ErmPlusPlusMovingAvg(network)",
        "LARS(params, lr=0, weight_decay=0, momentum=0.9, trust_coefficient=0.001)",
        "SupConLossLambda(lamda=0.5, temperature=0.07)",
        "Kernel(bw=None)",
        "GaussianKernel(bw=None)",
        "estimate_bandwidth(x, method)",
        "KernelDensityEstimator(train_Xs, kernel='gaussian', bw_select='Gauss-optimal')",
        "Normal(location=0, scale=1)",
        "Nonparametric(use_kde=True, bw_select='Gauss-optimal')",
        "continuous_bisect_fun_left(f, v, lo, hi, n_steps=32)",
    ],
    "lib.reporting": ["load_records(path)", "get_grouped_records(records)"],
    "lib.fast_data_loader": [
        f"{name}(dataset, {rest}num_workers)"
        for name, rest in {
            "InfiniteDataLoader": "weights, batch_size, ",
            "InfiniteDataLoaderWithoutReplacement": "weights, batch_size, ",
            "FastDataLoader": "batch_size, ",
        }.items()
    ],
    "lib.wide_resnet": ["Wide_ResNet(input_shape, depth, widen_factor, dropout_rate)"],
    "scripts.sweep": [
        "Job(train_args, sweep_output_dir)",
        "all_test_env_combinations(n)",
        "make_args_list(n_trials, dataset_names, algorithms, n_hparams_from, n_hparams, steps, data_dir, task, "
        "holdout_fraction, single_test_envs, hparams)",
        "ask_for_confirmation()",
    ],
    "scripts.collect_results": [
        "format_mean(data, latex)",
        "print_table(table, header_text, row_labels, col_labels, colwidth=10, latex=True)",
        "print_results_tables(records, selection_method, latex)",
        "merge_records(records)",
    ],
    "test.helpers": ["make_minibatches(dataset, batch_size)"],
}
# What it names only.
NAMES = {
    "datasets": "MultipleDomainDataset Debug MultipleEnvironmentMNIST MultipleEnvironmentImageFolder WILDSEnvironment "
    "WILDSDataset CustomImageFolder SpawriousBenchmark",
    "model_selection": "OracleSelectionMethod.run_acc IIDAccuracySelectionMethod.run_acc "
    "LeaveOneOutSelectionMethod.run_acc IIDAutoLRAccuracySelectionMethod.run_acc",
    "networks": "Identity",
    "lib.misc": "ParamDict Distribution1D",
    "lib.query": "Q make_selector_fn hashable",
    "lib.wide_resnet": "wide_basic conv3x3 conv_init",
    "scripts.sweep": "Job.launch Job.delete Job.NOT_LAUNCHED Job.INCOMPLETE",
    "scripts.collect_results": "recursive_freeze remove_key",
}
VALUES = {
    "algorithms.ALGORITHMS": ALGORITHMS,
    "datasets.DATASETS": DATASETS,
    "scripts.sweep.DATASETS": DATASETS[2:],
    "datasets.MultipleDomainDataset.N_STEPS": 5001,
    "datasets.MultipleDomainDataset.CHECKPOINT_FREQ": 100,
    "datasets.MultipleDomainDataset.N_WORKERS": 8,
    "datasets.MultipleDomainDataset.ENVIRONMENTS": None,
    "datasets.MultipleDomainDataset.INPUT_SHAPE": None,
    "datasets.Debug28.INPUT_SHAPE": (3, 28, 28),
    "datasets.Debug224.INPUT_SHAPE": (3, 224, 224),
    "model_selection.IIDAccuracySelectionMethod.name": "training-domain validation set",
    "model_selection.LeaveOneOutSelectionMethod.name": "leave-one-domain-out cross-validation",
    "model_selection.OracleSelectionMethod.name": "test-domain validation set (oracle)",
    "model_selection.IIDAutoLRAccuracySelectionMethod.name": "auto lr training-domain validation set",
    "lib.misc.EPS": 1e-16,
    "test.helpers.DEBUG_DATASETS": ["Debug28", "Debug224"],
}
REEXPORTS = ["hparams_registry", "model_selection", "command_launchers"]
REEXPORTS += [f"lib.{path.stem}" for path in (ROOT / "lib").glob("*.py") if path.stem != "__init__"]


def found(path: str) -> object:
    """domainbed.PATH: a module, or a name in one."""
    try:
        return importlib.import_module(f"domainbed.{path}")
    except ModuleNotFoundError:
        above, _, name = path.rpartition(".")
        return getattr(found(above), name)


def parameters(signature: str) -> tuple[str, list[tuple[str, object]]]:
    """The called name, and its parameters with their defaults, of a text such as `f(a, b=1)`."""
    name, _, rest = signature.partition("(")
    made = {}
    exec(f"def function({rest}: ...", made)
    return name, [(p.name, p.default) for p in inspect.signature(made["function"]).parameters.values()]


@pytest.mark.parametrize(("module", "call"), [(module, call) for module in CALLS for call in CALLS[module]])
def test_a_call_takes_domainbeds_arguments(module, call):
    name, expected = parameters(call)
    actual = list(inspect.signature(found(f"{module}.{name}")).parameters.values())
    same, more = actual[: len(expected)], actual[len(expected) :]
    assert [parameter.name for parameter in same] == [parameter for parameter, _ in expected]
    assert all(
        default in (parameter.default, parameter.empty) for parameter, (_, default) in zip(same, expected, strict=True)
    )
    assert all(p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in more)


@pytest.mark.parametrize("path", [f"{module}.{name}" for module in NAMES for name in NAMES[module].split()])
def test_a_name_is_where_domainbed_has_it(path):
    found(path)


@pytest.mark.parametrize("path", VALUES)
def test_a_value_is_domainbeds(path):
    assert found(path) == VALUES[path]
    assert type(found(path)) is type(VALUES[path])


def test_launchers_are_found_by_domainbeds_names():
    launchers = found("command_launchers")
    expected = [launchers.local_launcher, launchers.dummy_launcher, launchers.multi_gpu_launcher]
    domainbeds = list(launchers.REGISTRY.items())[:3]  # and slurm
    assert domainbeds == list(zip(["local", "dummy", "multi_gpu"], expected, strict=True))


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (
            NotImplementedError,
            "^Algorithm not found: Nothing",
            lambda: found("algorithms").get_algorithm_class("Nothing"),
        ),
        (NotImplementedError, "^Dataset not found: Nothing", lambda: found("datasets").get_dataset_class("Nothing")),
        (NotImplementedError, None, lambda: found("networks").Featurizer((3, 5, 7), {})),
        (
            NotImplementedError,
            None,
            lambda: found("networks").Featurizer((3, 224, 224), {"vit": True, "dinov2": False}),
        ),
        (TypeError, None, lambda: found("lib.query").make_selector_fn(1)),
        (ValueError, None, lambda: found("lib.misc").estimate_bandwidth(torch.randn(5), "guess")),
        (NotImplementedError, None, lambda: found("lib.misc").KernelDensityEstimator(torch.randn(5), kernel="box")),
        (ValueError, None, lambda: len(found("lib.fast_data_loader").InfiniteDataLoader([(0, 0)] * 4, None, 2, 0))),
        (AssertionError, None, lambda: list(found("scripts.sweep").all_test_env_combinations(2))),
    ],
)
def test_an_error_is_domainbeds(error, message, call):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("module", REEXPORTS)
def test_an_import_path_of_domainbed_only_reexports(module):
    """A docstring, imports from this package, and __all__, which names what is imported: no code to maintain twice."""
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    docstring, *imports, exported = tree.body
    assert isinstance(docstring, ast.Expr)
    assert all(isinstance(node, ast.ImportFrom) and node.module.startswith("domainbed.") for node in imports)
    assert ast.unparse(exported.targets[0]) == "__all__"
    assert sorted(ast.literal_eval(exported.value)) == sorted(a.asname or a.name for n in imports for a in n.names)


@pytest.mark.parametrize("script", ["train", "sweep", "collect_results", "list_top_hparams", "download", "save_images"])
def test_scripts_run_as_modules_and_explain_their_flags(script):
    help_text = subprocess.check_output([sys.executable, "-m", f"domainbed.scripts.{script}", "--help"], text=True)
    flags = [line.strip() for line in help_text.splitlines() if line.strip().startswith("--")]
    assert flags
    assert "usage:" in help_text


def test_domainbed_never_imports_the_plugin():
    code = (
        "import sys, pkgutil, importlib, domainbed\n"
        "for found in pkgutil.walk_packages(domainbed.__path__, 'domainbed.'):\n"
        "    importlib.import_module(found.name)\n"
        "print([name for name in sys.modules if name.startswith('domainbed_gga')])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
