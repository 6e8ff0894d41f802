"""Worked values of DomainBed's seed derivation."""

import pytest

from domainbed.seeds import seed_hash


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((0,), 1003224347),
        ((0, 0), 894182419),
        ((0, 1), 1514274641),
        ((1, 0), 785910682),
        ((0, "lr"), 1017368932),
        (("VLCS", "ERM", [0], 0, 0), 1721972278),
        ((785910682, "lr"), 2037049235),
    ],
)
def test_seed_hash_equals_domainbeds(arguments: tuple, expected: int) -> None:
    assert seed_hash(*arguments) == expected
