from wilds.datasets.wilds_dataset import WILDSDataset


class Camelyon17Dataset(WILDSDataset):
    dataset_name = "camelyon17"
    field, domains, n_classes = "hospital", 5, 2
