"""The images that the script save_images leaves."""

import numpy as np
import pytest
import torch
from PIL import Image

from domainbed.datasets import OfficeHome, RotatedMNIST
from domainbed.datasets.images import plain
from domainbed.scripts import save_images
from domainbed.scripts.save_images import pixels


def test_normalisation_is_undone_up_to_one_shade():
    pixel_values = np.random.RandomState(0).randint(0, 256, (16, 16, 3)).astype(np.uint8)
    back = pixels(plain(16)(Image.fromarray(pixel_values)))
    assert np.abs(back.astype(int) - pixel_values).max() <= 1


def test_two_channels_become_red_and_green():
    x = torch.stack([torch.full((4, 4), 1.0), torch.full((4, 4), 0.5)])
    assert pixels(x)[0, 0].tolist() == [255, 127, 0]


def test_names_tell_environment_index_and_class(tmp_path):
    """Sixty images of twelve classes: fifty are saved, those of class 11 never."""
    for domain in OfficeHome.DOMAINS:
        for label in range(12):
            folder = tmp_path / "office_home" / domain / f"object{label:02}"
            folder.mkdir(parents=True)
            for i in range(5):
                Image.new("RGB", (8, 8), (label, i, 0)).save(folder / f"{i}.png")
    out = tmp_path / "out"
    command = ["--data_dir", str(tmp_path), "--output_dir", str(out), "--datasets", "OfficeHome"]
    assert save_images.main(command) == 0
    names = sorted(path.name for path in out.iterdir())
    assert len(names) == 4 * 50
    assert {name.split("_")[1] for name in names} == {"env0A", "env1C", "env2P", "env3R"}
    for name in names:
        index, label = (int("".join(filter(str.isdigit, part))) for part in name[:-4].split("_")[3:])
        assert index // 5 == label <= 10
        with Image.open(out / name) as image:
            assert image.getpixel((0, 0)) == pytest.approx((label, index % 5, 0), abs=1)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert save_images.main(command) == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_missing_data_is_one_line(tmp_path, capsys):
    command = ["--data_dir", str(tmp_path), "--output_dir", str(tmp_path / "out"), "--datasets", "DomainNet"]
    assert save_images.main(command) == 2
    assert capsys.readouterr().err.startswith("error: DomainNet: no data in")
    assert not (tmp_path / "out").exists()


def test_gray_images_are_saved_too(tmp_path, monkeypatch):
    monkeypatch.setattr(save_images, "default_hparams", lambda *_: {"mnist_source": "sample"})
    command = ["--data_dir", str(tmp_path), "--output_dir", str(tmp_path), "--datasets", "RotatedMNIST"]
    assert save_images.main(command) == 0
    assert len(list(tmp_path.glob("RotatedMNIST_env5*.png"))) == 50
    assert len(list(tmp_path.iterdir())) == 50 * len(RotatedMNIST.ENVIRONMENTS)
