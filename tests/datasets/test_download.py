"""The download script on miniature archives of the published structure, served on this machine."""

import dataclasses
import hashlib
import importlib
import io
import json
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torchvision
from file_server import serving
from PIL import Image

from domainbed.datasets import download as package
from domainbed.datasets import get_dataset_class, spawrious
from domainbed.datasets.download import MANIFEST, manifest, room, transfer
from domainbed.names import DATASETS
from domainbed.scripts import download

TERRA_IMAGES = {"1": ["cat"], "2": ["dog", "empty"], "3": ["badger"], "4": ["rabbit"]}


def image(seed):
    """A PNG, which hardly compresses."""
    file = io.BytesIO()
    Image.fromarray(np.random.RandomState(seed).randint(0, 256, (8, 8, 3)).astype(np.uint8)).save(file, "png")
    return file.getvalue()


def images(top, domains, classes=("cat", "dog"), n=2):
    names = [f"{top}{domain}/{label}/{i}.png" for domain in domains for label in classes for i in range(n)]
    return {name: image(seed) for seed, name in enumerate(names)}


def pack(path, files):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as packed:
            for name, content in files.items():
                packed.writestr(name, content)
        return
    with tarfile.open(path, "w:gz") as packed:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))


def terra_lists():
    """Five lists: image 100..., locations as numbers and as text, an animal of no interest, a place of no interest."""
    categories = [{"id": i, "name": name} for i, name in enumerate(["cat", "dog", "empty", "badger", "rabbit"])]
    numbers = {row["name"]: row["id"] for row in categories}
    places = ["38", 43, 46, "100", 7]
    for name, place in zip(("cis_test", "cis_val", "train", "trans_test", "trans_val"), places, strict=True):
        rows = [{"id": f"{place}-{i}", "file_name": f"{place}-{i}.jpg", "location": place} for i in TERRA_IMAGES]
        found = [
            {"image_id": f"{place}-{i}", "category_id": numbers[animal]}
            for i, animals in TERRA_IMAGES.items()
            for animal in animals
        ]
        content = {"images": rows, "categories": categories, "annotations": found}
        yield f"eccv_18_annotation_files/{name}_annotations.json", json.dumps(content).encode()


def miniatures():
    """Archive -> its files, as section 5.7 of the compatibility contract has them."""
    yield "VLCS.tar.gz", images("VLCS/", MANIFEST["VLCS"].domains)
    yield "PACS.zip", images("kfold/", MANIFEST["PACS"].domains) | {"__MACOSX/kfold/._photo": b"resource fork"}
    yield (
        "office_home.zip",
        images("OfficeHomeDataset_10072016/", MANIFEST["OfficeHome"].domains)
        | {"OfficeHomeDataset_10072016/ImageInfo.csv": b"a list"},
    )
    yield "sviro.zip", images("SVIRO_DOMAINBED/", MANIFEST["SVIRO"].domains)
    for domain in MANIFEST["DomainNet"].domains:
        yield f"{domain}.zip", images("", [domain], n=3)
    shots = [f"{place}-{i}" for place in (38, 43, 46, 100, 7) for i in TERRA_IMAGES]
    yield (
        "eccv_18_all_images_sm.tar.gz",
        {f"eccv_18_all_images_sm/{shot}.jpg": image(seed) for seed, shot in enumerate(shots)},
    )
    yield "eccv_18_annotations.tar.gz", dict(terra_lists())
    yield "spawrious224.tar.gz", images("spawrious224/", MANIFEST["SpawriousO2O_easy"].domains, spawrious.CLASSES)
    yield "domain_net_duplicates.txt", None


DUPLICATES = b"clipart/cat/0.png\nsketch/dog/2.png\nsketch/dog/not_there.png\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    for name, files in miniatures():
        if files is None:
            (folder / name).write_bytes(DUPLICATES)
        else:
            pack(folder / name, files)
    with serving(folder) as server:
        yield server


@pytest.fixture
def server(served, monkeypatch):
    """Every dataset's archives are those of the server, which breaks off twice or more for each."""
    use(served, monkeypatch, "breaks")
    monkeypatch.setattr(spawrious, "PER_CLASS", 2)
    served.requests.clear()
    return served


def use(server, monkeypatch, *manners):
    def moved(archive):
        checksum = f"md5:{hashlib.md5((server.folder / archive.name).read_bytes()).hexdigest()}"
        return manifest.Archive(
            archive.name, tuple(server.url(manner, archive.name) for manner in manners), None, checksum
        )

    for name, published in list(MANIFEST.items()):
        changed = dataclasses.replace(
            published,
            archives=tuple(map(moved, published.archives)),
            duplicates=moved(published.duplicates) if published.duplicates else None,
        )
        monkeypatch.setitem(MANIFEST, name, changed)
    monkeypatch.setattr(package, "fetch", lambda *args, **_: transfer.fetch(*args, pause=0.001))


def run(*arguments):
    return download.main([str(argument) for argument in arguments])


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


PLAIN = {"data_augmentation": False}


@pytest.mark.parametrize("name", ["VLCS", "PACS", "OfficeHome", "SVIRO", "DomainNet", "SpawriousM2M_hard"])
def test_each_dataset_ends_in_the_folder_that_it_is_read_from(server, name, tmp_path, capsys):
    published = MANIFEST[name]
    assert run("--dataset", name, "--data_dir", tmp_path) == 1  # a miniature has fewer images than published
    assert [path.name for path in tmp_path.iterdir()] == [published.folder]
    get_dataset_class(name).check(tmp_path, PLAIN)
    assert sorted(path.name for path in (tmp_path / published.folder).iterdir() if path.is_dir()) == sorted(
        {domain.split("/")[0] for domain in published.domains}
    )
    out = capsys.readouterr().out
    for domain in published.domains:
        assert f"\n    {domain} " in out


def test_terra_incognita_is_sorted_by_location_and_category(server, tmp_path, capsys):
    """Location 7 and badgers are left out; image 2 shows a dog and, by another annotation, nothing: it is in both."""
    assert run("--dataset", "TerraIncognita", "--data_dir", tmp_path) == 1
    expected = {
        f"location_{place}/{animal}/{place}-{i}.jpg"
        for place in (38, 43, 46, 100)
        for i, animals in TERRA_IMAGES.items()
        for animal in animals
        if animal != "badger"
    }
    found = files(tmp_path / "terra_incognita")
    assert found.keys() == expected
    assert found["location_43/dog/43-2.jpg"] == found["location_43/empty/43-2.jpg"] == image(5)
    assert [path.name for path in tmp_path.iterdir()] == ["terra_incognita"]
    get_dataset_class("TerraIncognita").check(tmp_path, PLAIN)
    assert "location_38              4 images,   4 classes" in capsys.readouterr().out


@pytest.mark.parametrize(("part", "lacking"), [("categories", "2"), ("images", "'images'")])
def test_annotations_that_lack_something_are_one_line(server, part, lacking, tmp_path, monkeypatch, capsys):
    """A category that the animals are of, or a list as a whole."""

    def spoiled(content):
        lists = json.loads(content)
        lists |= {"categories": lists["categories"][:2]}
        return json.dumps(lists if part == "categories" else {"categories": []}).encode()

    given = tmp_path / "eccv_18_annotations.tar.gz"
    pack(given, {name: spoiled(content) for name, content in terra_lists()})
    assert run("--dataset", "TerraIncognita", "--data_dir", tmp_path, "--from_archive", given) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: the annotations are no whole lists of Caltech Camera Traps: they lack {lacking}; ")
    assert str(given) in line


def test_duplicates_of_domain_net_are_left_out(server, tmp_path):
    run("--dataset", "DomainNet", "--data_dir", tmp_path)
    found = files(tmp_path / "domain_net")
    everything = images("", MANIFEST["DomainNet"].domains, n=3)
    assert everything.keys() - found.keys() == {"clipart/cat/0.png", "sketch/dog/2.png"}


def test_without_the_list_duplicates_stay_until_it_is_given(server, tmp_path, monkeypatch, capsys):
    duplicates = manifest.Archive("domain_net_duplicates.txt", (server.url("missing", "domain_net_duplicates.txt"),))
    monkeypatch.setitem(MANIFEST, "DomainNet", dataclasses.replace(MANIFEST["DomainNet"], duplicates=duplicates))
    run("--dataset", "DomainNet", "--data_dir", tmp_path)
    assert len(files(tmp_path / "domain_net")) == 36
    assert "the duplicates stay in; give DomainBed's file as --duplicates FILE" in capsys.readouterr().err
    listed = tmp_path / "list.txt"
    listed.write_bytes(DUPLICATES)
    run("--dataset", "DomainNet", "--data_dir", tmp_path, "--duplicates", listed)
    assert len(files(tmp_path / "domain_net")) == 34


def test_a_list_of_duplicates_deletes_nothing_outside(server, tmp_path, capsys):
    run("--dataset", "DomainNet", "--data_dir", tmp_path)
    listed = tmp_path / "list.txt"
    for line in ("../../list.txt", f"{tmp_path}/list.txt", "clipart/../../list.txt", "clipart/cat"):
        listed.write_text(f"clipart/cat/1.png\n{line}\n")
        assert run("--dataset", "DomainNet", "--data_dir", tmp_path, "--duplicates", listed) == 2
        assert f"has the line {line!r}" in capsys.readouterr().err
    assert (tmp_path / "domain_net" / "clipart" / "cat" / "1.png").is_file()


def test_a_list_that_is_not_there_is_told_before_anything_is_fetched(server, tmp_path, capsys):
    assert run("--dataset", "DomainNet", "--data_dir", tmp_path, "--duplicates", tmp_path / "nowhere.txt") == 2
    assert "nowhere.txt cannot be read as a list of files" in capsys.readouterr().err
    assert server.requests == []


def test_a_second_call_fetches_nothing(server, tmp_path):
    run("--dataset", "PACS", "VLCS", "--data_dir", tmp_path)
    before, asked = files(tmp_path), len(server.requests)
    run("--dataset", "PACS", "VLCS", "--data_dir", tmp_path)
    assert (files(tmp_path), len(server.requests)) == (before, asked)


def test_what_spawrious_s_datasets_share_is_fetched_once(server, tmp_path):
    run("--dataset", "SpawriousO2O_easy", "SpawriousM2M_hard", "--data_dir", tmp_path)
    assert [asked for _, asked in server.requests].count(None) == 1


def test_an_archive_fetched_by_hand(server, tmp_path, monkeypatch):
    use(server, monkeypatch, "missing")
    run("--dataset", "PACS", "--data_dir", tmp_path / "data", "--from-archive", server.folder / "PACS.zip")
    get_dataset_class("PACS").check(tmp_path / "data", PLAIN)
    assert (server.folder / "PACS.zip").exists()


def test_of_several_archives_those_given_are_not_fetched(server, tmp_path, capsys):
    given = [server.folder / name for name in ("clipart.zip", "real.zip")]
    run("--dataset", "DomainNet", "--data_dir", tmp_path, "--from_archive", *given)
    get_dataset_class("DomainNet").check(tmp_path, PLAIN)
    assert [asked for _, asked in server.requests].count(None) == 4 + 1  # and the list
    assert run("--dataset", "TerraIncognita", "--data_dir", tmp_path, "--from_archive", given[0]) == 2
    assert "the archives of TerraIncognita are eccv_18_all_images_sm.tar.gz, ecc" in capsys.readouterr().err


def test_where_every_source_fails_the_others_are_still_fetched(server, tmp_path, monkeypatch, capsys):
    use(server, monkeypatch, "missing", "quota")
    changed = dataclasses.replace(
        MANIFEST["VLCS"], archives=(manifest.Archive("VLCS.tar.gz", (server.url("whole", "VLCS.tar.gz"),)),)
    )
    monkeypatch.setitem(MANIFEST, "VLCS", changed)
    assert run("--dataset", "PACS", "VLCS", "--data_dir", tmp_path) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: PACS.zip cannot be downloaded (http://127.0.0.1")
    assert line.endswith(f"get it by hand, from {MANIFEST['PACS'].by_hand}, and give it as --from_archive FILE")
    assert [path.name for path in tmp_path.iterdir()] == ["VLCS"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"kfold/photo/dog/1.png": b"", "../../PACS/x": b""}, "would lie outside"),
        ({"other/photo/dog/1.png": b""}, "hold no folder with art_painting, cartoon, photo, sketch; they hold other"),
    ],
)
def test_an_archive_of_something_else_leaves_nothing(server, tmp_path, monkeypatch, capsys, content, message):
    use(server, monkeypatch, "missing")
    pack(tmp_path / "mine.zip", content)
    data = tmp_path / "data"
    assert run("--dataset", "PACS", "--data_dir", data, "--from_archive", tmp_path / "mine.zip") == 2
    assert message in capsys.readouterr().err
    assert list(data.iterdir()) == []


def test_where_there_is_no_room_the_archive_stays_for_the_next_call(server, tmp_path, monkeypatch, capsys):
    run("--dataset", "PACS", "--data_dir", tmp_path, "--keep_archives")
    (tmp_path / "PACS").rename(tmp_path / "elsewhere")
    asked = len(server.requests)
    with monkeypatch.context() as patch:
        patch.setattr(room.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
        assert run("--dataset", "PACS", "--data_dir", tmp_path) == 2
    assert "error: the content of PACS.zip needs" in capsys.readouterr().err
    assert run("--dataset", "PACS", "--data_dir", tmp_path) == 1
    assert files(tmp_path / "PACS") == files(tmp_path / "elsewhere")
    assert len(server.requests) == asked


def test_a_downloaded_archive_of_something_else_is_named_to_be_replaced(server, tmp_path, monkeypatch, capsys):
    (tmp_path / "served").mkdir()
    pack(tmp_path / "served" / "PACS.zip", {"other/photo/dog/1.png": b""})
    data = tmp_path / "data"
    with monkeypatch.context() as patch, serving(tmp_path / "served") as other:
        patch.setitem(
            MANIFEST,
            "PACS",
            dataclasses.replace(
                MANIFEST["PACS"], archives=(manifest.Archive("PACS.zip", (other.url("whole", "PACS.zip"),)),)
            ),
        )
        assert run("--dataset", "PACS", "--data_dir", data) == 2
    (line,) = capsys.readouterr().err.splitlines()
    wrong = data / ".download" / "PACS" / "archives" / "PACS.zip"
    assert f"; they hold other; what is wrong is in {wrong}: give the right file as --from_archive FILE, or" in line
    wrong.unlink()
    assert run("--dataset", "PACS", "--data_dir", data) == 1
    get_dataset_class("PACS").check(data, PLAIN)


def test_something_else_in_a_dataset_s_place_is_left_alone(server, tmp_path, capsys):
    (tmp_path / "PACS" / "photo").mkdir(parents=True)
    assert run("--dataset", "PACS", "--data_dir", tmp_path) == 2
    assert "is there, but without art_painting, cartoon, sketch; move it away" in capsys.readouterr().err
    assert server.requests == []


def test_archives_are_kept_on_request(server, tmp_path):
    run("--dataset", "PACS", "--data_dir", tmp_path, "--keep_archives")
    assert files(tmp_path / ".download") == {"PACS/archives/PACS.zip": (server.folder / "PACS.zip").read_bytes()}


def test_what_a_killed_process_had_unpacked_is_not_used(server, tmp_path):
    torn = tmp_path / ".download" / "PACS" / "unpacked" / "kfold" / "photo" / "dog" / "torn.png"
    torn.parent.mkdir(parents=True)
    torn.write_bytes(b"half an image")
    run("--dataset", "PACS", "--data_dir", tmp_path)
    get_dataset_class("PACS").check(tmp_path, PLAIN)
    assert [path.name for path in tmp_path.iterdir()] == ["PACS"]


KILLED = """
import dataclasses, sys
from domainbed.datasets.download import MANIFEST, manifest
from domainbed.scripts import download
archive = manifest.Archive("PACS.zip", (sys.argv[1],))
MANIFEST["PACS"] = dataclasses.replace(MANIFEST["PACS"], archives=(archive,))
sys.exit(download.main(["--dataset", "PACS", "--data_dir", sys.argv[2]]))
"""


def test_a_killed_script_continues_and_meanwhile_refuses_a_second(tmp_path):
    """SIGKILL while the archive arrives: no folder under its name; the next call asks for the bytes that lack."""
    (tmp_path / "served").mkdir()
    pack(tmp_path / "served" / "PACS.zip", images("kfold/", MANIFEST["PACS"].domains, n=100))
    data, partial = tmp_path / "data", tmp_path / "data" / ".download" / "PACS" / "archives" / ".PACS.zip.part"
    with serving(tmp_path / "served") as server:
        command = [sys.executable, "-c", KILLED, server.url("slow", "PACS.zip"), str(data)]
        process = subprocess.Popen(command)
        try:
            while not (partial.exists() and partial.stat().st_size > 10_000):
                assert process.poll() is None
                time.sleep(0.01)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert not (data / "PACS").exists()
        there = partial.stat().st_size
        assert subprocess.run(command, check=False, capture_output=True).returncode == 1
        assert server.ranges("slow") == [None, f"bytes={there}-"]
    assert files(data / "PACS") == {
        name.removeprefix("kfold/"): content
        for name, content in images("kfold/", MANIFEST["PACS"].domains, n=100).items()
    }


def test_check_tells_what_is_lacking(server, tmp_path, monkeypatch, capsys):
    exact = {domain: {"cat": 2, "dog": 2} for domain in MANIFEST["PACS"].domains}
    changed = dataclasses.replace(MANIFEST["PACS"], counts=exact, classes=2, total=16)
    monkeypatch.setitem(MANIFEST, "PACS", changed)
    assert run("--dataset", "PACS", "--data_dir", tmp_path, "--check") == 2
    assert f"PACS: not in {tmp_path / 'PACS'}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert run("--dataset", "PACS", "--data_dir", tmp_path) == 0
    assert run("--dataset", "PACS", "--data_dir", tmp_path, "--check") == 0
    assert "instead" not in capsys.readouterr().out
    (tmp_path / "PACS" / "photo" / "dog" / "1.png").unlink()
    assert run("--dataset", "PACS", "--data_dir", tmp_path, "--check") == 1
    assert "\n    photo/dog: 1 images instead of 2\n" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "message"), [("Digits", "Digits needs no download"), ("Pacs", "(nearest: PACS")])
def test_names_are_checked_before_anything_is_fetched(server, name, message, tmp_path, capsys):
    assert run("--dataset", "VLCS", name, "--data_dir", tmp_path) == 2
    assert message in capsys.readouterr().err
    assert server.requests == []


def test_every_dataset_of_the_contract_can_be_fetched():
    assert {name for name in DATASETS if "Debug" not in name} == {*package.DELEGATED, *MANIFEST}


def test_the_manifest_agrees_with_the_classes_and_with_itself():
    for name, published in MANIFEST.items():
        cls = get_dataset_class(name)
        if name.startswith("Spawrious"):
            assert {f"{k}/{place}" for parts in cls.parts() for k, place, _, _ in parts} <= set(published.domains)
            assert published.total == 152_064
        else:
            assert (published.folder, published.domains) == (cls.FOLDER, cls.DOMAINS)
        known = [sum(n.values()) if isinstance(n, dict) else n for n in published.counts.values()]
        assert None in known or sum(known) == published.total
        assert all(len(n) == published.classes for n in published.counts.values() if isinstance(n, dict))


def test_vlcs_has_the_splits_of_the_contract():
    """In and out splits of VLCS: 1132/283, 2125/531, 2626/656, 2701/675."""
    sizes = [sum(counts.values()) for counts in MANIFEST["VLCS"].counts.values()]
    assert sizes == [1132 + 283, 2125 + 531, 2626 + 656, 2701 + 675]


def test_mnist_is_left_to_torchvision(tmp_path, monkeypatch, capsys):
    """--check asks no server; a download asks the mirrors that torchvision knows."""
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    assert run("--dataset", "RotatedMNIST", "--data_dir", tmp_path, "--check") == 2
    assert f"RotatedMNIST: not in {tmp_path / 'MNIST' / 'raw'}" in capsys.readouterr().err
    assert run("--dataset", "RotatedMNIST", "--data_dir", tmp_path) == 2
    assert "cannot be downloaded here" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_of_mnist_check_counts_the_digits_and_fetches_nothing(tmp_path, monkeypatch, capsys):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, number in (("train", 60_000), ("t10k", 10_000)):
        for kind, shape in (("images-idx3", (number, 28, 28)), ("labels-idx1", (number,))):
            header = np.array([0, *shape], ">u4").tobytes()
            (raw / f"{part}-{kind}-ubyte").write_bytes(
                header + np.resize(np.arange(10, dtype=np.uint8), shape).tobytes()
            )
    assert run("--dataset", "ColoredMNIST", "--data_dir", tmp_path, "--check") == 0
    out = capsys.readouterr().out
    assert "    train               60,000 images,  10 classes\n    t10k                10,000 images,  10 cl" in out
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    (raw / "t10k-images-idx3-ubyte").unlink()
    assert run("--dataset", "ColoredMNIST", "--data_dir", tmp_path, "--check") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"error: ColoredMNIST: not in {raw}, or not whole; run this without --check to have it downloaded"


@pytest.mark.skipif(find_spec("wilds") is not None, reason="the package wilds is installed")
def test_wilds_is_left_to_its_package(tmp_path, capsys):
    assert run("--dataset", "WILDSCamelyon", "--data_dir", tmp_path) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "error: camelyon17 is downloaded by the package wilds; install it with: pip install wilds"


def test_the_cards_agree_with_the_manifest():
    for name, published in MANIFEST.items():
        text = (spawrious if name.startswith("Spawrious") else get_dataset_class(name)).__doc__
        known = [sum(n.values()) if isinstance(n, dict) else n for n in published.counts.values()]
        if name.startswith("Spawrious"):
            known = [spawrious.PER_CLASS]
        for number in [*known, published.total]:
            assert number is None or f"{number:,}" in text.replace("\n    ", " "), (name, number)
        assert f"{published.classes} " in text


def test_every_card_is_whole():
    for name in [*package.DELEGATED, *MANIFEST]:
        text = (spawrious if name.startswith("Spawrious") else get_dataset_class(name)).__doc__
        facts = [line.strip().partition(": ")[0] for line in text.splitlines()]
        for fact in ("Environments", "Licence", "Known bad files", "Source"):
            assert facts.count(fact) == 1, (name, fact)
        assert "Licence: see" not in text


def test_the_page_says_where_there_is_one_source_and_where_no_page(monkeypatch):
    """The two addresses of Google Drive are of one server."""
    docs = Path(__file__).parents[2] / "docs"
    monkeypatch.syspath_prepend(docs)
    script = importlib.import_module("dataset_table")
    single = {name: "One source only: " in script.archives(name) for name in MANIFEST}
    assert [name for name, alone in single.items() if not alone] == ["TerraIncognita"]
    assert "One source only: google.com." in script.archives("PACS")
    for name in ("VLCS", "PACS"):
        assert "(the file itself; we know of no page of the project)" in script.archives(name)


def test_the_page_is_what_the_manifest_says(monkeypatch):
    docs = Path(__file__).parents[2] / "docs"
    monkeypatch.syspath_prepend(docs)
    script = importlib.import_module("dataset_table")
    page = script.PAGE.read_text(encoding="utf-8")
    assert script.updated(page) == page, "run: python docs/dataset_table.py"
