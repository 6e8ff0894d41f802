"""Every module and name that code written for DomainBed imports."""

import importlib
import subprocess
import sys

import pytest

SURFACE = {
    "algorithms": "ALGORITHMS get_algorithm_class Algorithm ERM ERMPlusPlus Fish IRM GroupDRO Mixup MLDG CORAL MMD "
    "DANN CDANN MTL SagNet ARM VREx RSC SD ANDMask SANDMask IGA SelfReg Fishr TRM IB_ERM IB_IRM CAD CondCAD Transfer "
    "CausIRL_CORAL CausIRL_MMD EQRM RDM ADRMX URM",
    "datasets": "DATASETS get_dataset_class num_environments MultipleDomainDataset Debug Debug28 Debug224 "
    "MultipleEnvironmentMNIST ColoredMNIST RotatedMNIST MultipleEnvironmentImageFolder VLCS PACS OfficeHome "
    "TerraIncognita DomainNet SVIRO WILDSEnvironment WILDSDataset WILDSCamelyon WILDSFMoW CustomImageFolder "
    "SpawriousBenchmark SpawriousO2O_easy SpawriousO2O_medium SpawriousO2O_hard SpawriousM2M_easy SpawriousM2M_medium "
    "SpawriousM2M_hard",
    "hparams_registry": "default_hparams random_hparams",
    "model_selection": "SelectionMethod OracleSelectionMethod IIDAccuracySelectionMethod LeaveOneOutSelectionMethod "
    "IIDAutoLRAccuracySelectionMethod get_test_records",
    "command_launchers": "REGISTRY local_launcher dummy_launcher multi_gpu_launcher",
    "networks": "Featurizer Classifier MLP ResNet MNIST_CNN ContextNet DinoV2 WholeFish Identity "
    "remove_batch_norm_from_resnet",
    "lib.misc": "seed_hash split_dataset make_weights_for_balanced_classes accuracy print_row Tee print_separator "
    "random_pairs_of_minibatches split_meta_train_test l2_between_dicts distance proj MovingAverage "
    "ErmPlusPlusMovingAvg ParamDict LARS SupConLossLambda Kernel GaussianKernel estimate_bandwidth "
    "KernelDensityEstimator Distribution1D Normal Nonparametric continuous_bisect_fun_left EPS",
    "lib.query": "Q make_selector_fn hashable",
    "lib.reporting": "load_records get_grouped_records",
    "lib.fast_data_loader": "InfiniteDataLoader InfiniteDataLoaderWithoutReplacement FastDataLoader",
    "lib.wide_resnet": "Wide_ResNet wide_basic conv3x3 conv_init",
    "scripts.sweep": "Job all_test_env_combinations make_args_list ask_for_confirmation DATASETS",
    "scripts.collect_results": "format_mean print_table print_results_tables merge_records recursive_freeze remove_key",
    "test.helpers": "DEBUG_DATASETS make_minibatches",
}


@pytest.mark.parametrize("module", SURFACE)
def test_every_name_is_where_domainbed_has_it(module):
    found = importlib.import_module(f"domainbed.{module}")
    assert [name for name in SURFACE[module].split() if not hasattr(found, name)] == []


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
