"""Registries: entries by name, those of installed packages included. The packages are real, in a folder each."""

import logging
from pathlib import Path

import pytest

from domainbed.errors import UnknownName
from domainbed.registry import Registry


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, module: str, body: str, entry_points: str) -> None:
    """A distribution with one module and these entry points, importable until the test ends."""
    (folder / f"{module}.py").write_text(body)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    monkeypatch.syspath_prepend(folder)


def test_entries_are_found_in_the_order_of_registration_and_a_miss_names_the_nearest():
    things: Registry[int] = Registry("Thing", "domainbed.test.things")
    for name, entry in {"second": 2, "first": 1}.items():
        things.add(name, entry)
    assert list(things.entries()) == ["second", "first"]
    assert things.get("first") == 1
    with pytest.raises(UnknownName, match=r"^Thing not found: frist \(nearest: first\)$"):
        things.get("frist")
    with pytest.raises(UnknownName, match=r"nearest: third"):
        things.get("thrid", also=["third"])


def test_a_name_is_given_once_and_the_same_entry_may_be_added_again():
    things: Registry[object] = Registry("Thing", "domainbed.test.things")
    things.add("path", Path)
    things.add("path", Path)
    with pytest.raises(ValueError, match="path is registered already, by pathlib; choose another name"):
        things.add("path", str)


def test_a_dictionary_that_other_code_writes_to_is_read_and_written():
    shared = {"here": 1}
    things = Registry("Thing", "domainbed.test.things", shared)
    shared["there"] = 2
    things.add("added", 3)
    assert things.entries() == shared == {"here": 1, "there": 2, "added": 3}


def test_packages_are_loaded_when_a_name_is_asked_for_and_broken_ones_are_skipped(tmp_path, monkeypatch, caplog):
    body = "import pathlib\npathlib.Path(__file__).with_name('imported').touch()\nthing = 'a thing'\n"
    points = (
        "[domainbed.test.things]\nThing = some_things:thing\nGone = no_such_module:Gone\nTaken = some_things:thing\n"
    )
    install(tmp_path, monkeypatch, "some_things", body, points)
    things: Registry[str] = Registry("Thing", "domainbed.test.things")
    things.add("Taken", "another thing")
    assert not (tmp_path / "imported").exists()
    with caplog.at_level(logging.WARNING):
        assert things.entries() == {"Taken": "another thing", "Thing": "a thing"}
    assert "Gone = no_such_module:Gone skipped: ModuleNotFoundError" in caplog.text
    assert "Taken = some_things:thing skipped: ValueError: Taken is registered already" in caplog.text


def test_a_package_may_look_names_up_while_it_is_loaded(tmp_path, monkeypatch):
    body = "from domainbed.algorithms import registry\nknown = registry.algorithm_names()\n"
    install(tmp_path, monkeypatch, "curious", body, "[domainbed.test.things]\nKnown = curious:known\n")
    assert "ERM" in Registry("Thing", "domainbed.test.things").get("Known")
