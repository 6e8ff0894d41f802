"""Names -> classes."""

import subprocess
import sys

import pytest

from domainbed import algorithms, hparams_registry
from domainbed.algorithms import registry


def test_all_published_names_exist_in_table_order() -> None:
    assert len(algorithms.ALGORITHMS) == 34
    assert registry.algorithm_names()[:34] == algorithms.ALGORITHMS
    assert all(algorithms.get_algorithm_class(name) is getattr(algorithms, name) for name in algorithms.ALGORITHMS)


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


def test_what_is_no_algorithm_is_not_registered() -> None:
    with pytest.raises(TypeError, match=r"Mine must be a subclass of domainbed\.algorithms\.base\.Algorithm"):
        registry._algorithms.add("Mine", dict)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["Algorithm", "register", "erm", "nn", ""])
def test_what_the_module_has_beside_algorithms_is_not_found(name: str) -> None:
    with pytest.raises(NotImplementedError, match=f"^Algorithm not found: {name}"):
        algorithms.get_algorithm_class(name)


class Mine(algorithms.ERM):
    HPARAMS = {"mine": (0.5, lambda r: r.uniform(0, 1))}


def test_a_class_that_other_code_sets_is_found_with_its_hparams_and_combinations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(algorithms, "Mine", Mine, raising=False)
    assert algorithms.get_algorithm_class("Mine") is Mine
    assert registry.algorithm_names()[-1] == "Mine"
    assert hparams_registry.default_hparams("Mine", "PACS")["mine"] == 0.5
    assert 0 < hparams_registry.random_hparams("Mine_GGA", "PACS", 1)["mine"] < 1
    combined = algorithms.get_algorithm_class("Mine_GGA")
    assert (combined.__name__, combined.BASE) == ("Mine_GGA", Mine)  # type: ignore[attr-defined]


def test_a_class_set_anew_leaves_no_old_combination(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(algorithms.ERM):
        pass

    for cls in (Mine, Other, Mine):
        monkeypatch.setattr(algorithms, "Mine", cls, raising=False)
        assert algorithms.get_algorithm_class("Mine_GGA").BASE is cls  # type: ignore[attr-defined]
    monkeypatch.delattr(algorithms, "Mine")
    with pytest.raises(NotImplementedError, match="Algorithm not found: Mine "):
        algorithms.get_algorithm_class("Mine_GGA")


def test_a_class_set_in_place_of_a_registered_one_takes_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    before = algorithms.get_algorithm_class("ERM_GGA")
    monkeypatch.setattr(algorithms, "ERM", Mine)
    assert algorithms.get_algorithm_class("ERM") is Mine
    assert algorithms.get_algorithm_class("GGA").BASE is Mine  # type: ignore[attr-defined]
    monkeypatch.undo()
    assert algorithms.get_algorithm_class("ERM_GGA") is before


def test_importing_the_algorithms_pulls_in_nothing_optional() -> None:
    optional = {"torchvision", "timm", "wilds", "sklearn", "matplotlib", "pandas"}
    code = f"import sys, domainbed.algorithms; print(*{optional} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == []
