"""A folder <name>_v<version> with RELEASE_v<version>.txt, images/<index>.png, and metadata.csv: domain, label."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image


class WILDSDataset:
    version = "1.0"

    def __init__(self, root_dir, download=False):
        self.data_dir = str(Path(root_dir, f"{self.dataset_name}_v{self.version}"))
        release = Path(self.data_dir, f"RELEASE_v{self.version}.txt")
        if not release.exists():
            if not download:
                raise FileNotFoundError(f"The {self.dataset_name} dataset could not be found in {self.data_dir}.")
            self._draw()
            release.touch()
        rows = [line.split(",") for line in Path(self.data_dir, "metadata.csv").read_text().split()]
        self.metadata_array = torch.tensor([[int(domain), 0, int(label)] for domain, label in rows])
        self.metadata_fields = [self.field, "other", "y"]
        self.y_array = self.metadata_array[:, 2]

    def _draw(self):
        """Two images of the first domain, three of the second, and so on, with labels 0, 1, 0, 1, ..."""
        images = Path(self.data_dir, "images")
        images.mkdir(parents=True)
        domains = [domain for domain in range(self.domains) for _ in range(domain + 2)]
        random = np.random.RandomState(0)
        for index in range(len(domains)):
            Image.fromarray(random.randint(0, 256, (12, 10, 3)).astype(np.uint8)).save(images / f"{index}.png")
        rows = [f"{domain},{index % 2}\n" for index, domain in enumerate(domains)]
        Path(self.data_dir, "metadata.csv").write_text("".join(rows))

    def get_input(self, idx):
        with Image.open(Path(self.data_dir, "images", f"{idx}.png")) as image:
            return image.convert("RGB")
