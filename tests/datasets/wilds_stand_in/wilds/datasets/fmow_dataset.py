from wilds.datasets.wilds_dataset import WILDSDataset


class FMoWDataset(WILDSDataset):
    dataset_name, version = "fmow", "1.1"
    field, domains, n_classes = "region", 6, 62
