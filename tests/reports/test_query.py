import math
import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domainbed.reports.query import Q, hashable, make_selector_fn

numbers = st.lists(st.floats(allow_infinity=False))


def test_a_selector_is_a_key_a_path_a_list_of_them_or_a_function():
    record = {"a": {"b": 1}, "c": 2}
    assert make_selector_fn("c")(record) == 2
    assert make_selector_fn("a.b")(record) == 1
    assert make_selector_fn("a.b,c")(record) == (1, 2)
    assert make_selector_fn(" a . b , c ")(record) == (1, 2)
    assert make_selector_fn(lambda record: record["c"] + 1)(record) == 3


@pytest.mark.parametrize("selector", [1, None, ["a"], ("a", "b"), operator.itemgetter("a")])
def test_any_other_selector_is_a_type_error(selector):
    with pytest.raises(TypeError, match="selector"):
        make_selector_fn(selector)


def test_hashable_identifies_a_dict_whatever_the_order_of_its_keys():
    assert hashable((1, "a")) == (1, "a")
    assert hashable({"b": 1, "a": [2]}) == hashable({"a": [2], "b": 1}) == '{"_": {"a": [2], "b": 1}}'


def test_slices_are_plain_lists_and_a_q_equals_its_list():
    q = Q([1, 2, 3])
    assert len(q) == q.len() == 3
    assert q[-1] == 3
    assert type(q[1:]) is list
    assert q == [1, 2, 3] == q
    assert q == Q([1, 2, 3])
    assert q != [1, 2]


def test_group_sorts_by_key():
    records = [{"a": 2, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 3}]
    assert Q(records).group("a") == [(1, [records[1]]), (2, [records[0], records[2]])]


def test_group_keeps_unhashable_keys_and_compares_their_json():
    records = [{"a": {"x": 1, "y": 2}}, {"a": {"x": 0, "y": 2}}, {"a": {"y": 2, "x": 1}}]
    assert Q(records).group("a") == [({"x": 0, "y": 2}, [records[1]]), ({"x": 1, "y": 2}, [records[0], records[2]])]


def test_group_map_and_map_unpack_for_functions_of_several_parameters():
    q = Q([{"a": 1, "b": 2}, {"a": 1, "b": 3}])
    assert q.group_map("a", lambda key, group: (key, group.select("b").sum())) == [(1, 5)]
    assert Q([(1, 2), (3, 4)]).map(lambda x, y: x + y) == [3, 7]
    assert Q([(1, 2), (3, 4)]).map(lambda pair: pair[0]) == [1, 3]


def test_filters_flatten_and_unique():
    q = Q([{"a": 1}, {"a": 2}, {"a": 1}])
    assert q.filter_equals("a", 1) == [{"a": 1}, {"a": 1}]
    assert q.filter(lambda record: record["a"] > 1) == [{"a": 2}]
    assert q.unique() == [{"a": 1}, {"a": 2}]
    assert Q([1, None, 0]).filter_not_none() == [1, 0]
    assert Q([1.0, math.nan]).filter_not_nan() == [1.0]
    assert Q([[1], [], [2, 3]]).flatten() == [1, 2, 3]


def test_statistics_of_one_two_three_four():
    """Mean 2.5; squared deviations 2.25, 0.25, 0.25, 2.25 have the mean 1.25."""
    q = Q([1, 2, 3, 4])
    assert (q.min(), q.max(), q.sum(), q.mean()) == (1, 4, 10, 2.5)
    assert q.std() == pytest.approx(math.sqrt(1.25))
    assert q.mean_std() == (q.mean(), q.std())


def test_mean_and_std_of_nothing_are_nan_without_a_warning():
    assert all(map(math.isnan, Q([]).mean_std()))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers())))
def test_group_partitions_and_keeps_the_order_within_a_group(pairs):
    groups = Q(pairs).group(lambda pair: pair[0])
    assert [key for key, _ in groups] == sorted({key for key, _ in pairs})
    for key, group in groups:
        assert group == [pair for pair in pairs if pair[0] == key]


@given(st.lists(st.tuples(st.integers(0, 2) | st.just(math.nan), st.uuids()), min_size=1))
def test_argmax_is_the_first_of_the_largest_and_nan_is_never_preferred(pairs):
    best = Q(pairs).argmax(lambda pair: pair[0])
    values = [value for value, _ in pairs if not math.isnan(value)]
    if values:
        assert best is next(pair for pair in pairs if pair[0] == max(values))
    else:
        assert best is pairs[0]


@given(numbers)
def test_sorted_ascends_with_nan_first(values):
    result = list(Q(values).sorted())
    count = sum(map(math.isnan, values))
    assert all(map(math.isnan, result[:count]))
    assert result[count:] == sorted(value for value in values if not math.isnan(value))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers())))
def test_sorted_is_stable(pairs):
    assert Q(pairs).sorted(lambda pair: pair[0]) == sorted(pairs, key=lambda pair: pair[0])


@given(st.lists(st.integers(0, 5)))
def test_unique_keeps_the_first_of_each(values):
    assert Q(values).unique() == list(dict.fromkeys(values))
