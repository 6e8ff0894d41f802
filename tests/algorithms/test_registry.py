"""Names -> classes."""

import logging
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from domainbed import algorithms
from domainbed.algorithms import registry


def test_the_published_algorithms_are_registered_before_those_of_plugins() -> None:
    names = registry.algorithm_names()
    builtin = names[: len(algorithms.ALGORITHMS)]
    assert set(builtin) == set(algorithms.ALGORITHMS)
    assert len(names) == len(set(names))
    assert all(algorithms.get_algorithm_class(name).__name__ == name for name in builtin)


def test_an_unknown_name_lists_the_nearest() -> None:
    with pytest.raises(NotImplementedError, match=r"^Algorithm not found: CORALL \(nearest: CORAL"):
        algorithms.get_algorithm_class("CORALL")


def test_an_unknown_base_is_named_without_its_suffix() -> None:
    with pytest.raises(NotImplementedError, match=r"^Algorithm not found: CORALL \(nearest: CORAL"):
        algorithms.get_algorithm_class("CORALL_GGA")


def test_a_name_is_registered_once() -> None:
    class ERM(algorithms.Algorithm):
        pass

    with pytest.raises(ValueError, match="ERM is registered already"):
        registry.register(ERM)


def test_combinations_are_made_once_and_keep_their_name() -> None:
    made = algorithms.get_algorithm_class("CORAL_GGA")
    assert made is algorithms.get_algorithm_class("CORAL_GGA")
    assert made.__name__ == "CORAL_GGA"
    assert registry.split("GGA")[0] == "ERM"
    assert registry.split("IB_ERM_GGA_L")[0] == "IB_ERM"
    assert registry.split("IB_ERM") is None


def test_a_broken_plugin_is_reported_and_skipped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = EntryPoint("Broken", "no_such_module:Broken", "domainbed.algorithms")
    found = registry.entry_points
    monkeypatch.setattr(registry, "entry_points", lambda group: [*found(group=group), broken])
    registry._load_plugins.cache_clear()
    with caplog.at_level(logging.WARNING):
        names = registry.algorithm_names()
    registry._load_plugins.cache_clear()
    assert "ERM" in names
    assert "Broken" not in names
    assert "Broken = no_such_module:Broken skipped: ModuleNotFoundError" in caplog.text


def test_importing_the_algorithms_pulls_in_nothing_optional() -> None:
    optional = {"torchvision", "timm", "wilds", "sklearn", "matplotlib", "pandas"}
    code = f"import sys, domainbed.algorithms; print(*{optional} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == []
