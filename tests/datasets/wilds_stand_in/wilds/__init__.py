"""As much of the package wilds (2.0) as is used here, with its names and its errors, over a few images.

Where the package itself would download, ten or so images are drawn.
"""

from importlib import import_module

CLASSES = {"camelyon17": ("camelyon17_dataset", "Camelyon17Dataset"), "fmow": ("fmow_dataset", "FMoWDataset")}


def get_dataset(dataset, **options):
    module, name = CLASSES[dataset]
    return getattr(import_module(f"wilds.datasets.{module}"), name)(**options)
