"""Records grouped by trial, dataset, algorithm and test environment; the two stages of train_autolr merged."""

from typing import Any

from domainbed.reports.query import Q


def get_grouped_records(records: Q) -> Q:
    """Records grouped by (trial_seed, dataset, algorithm, test_env), in that order.

    A record belongs to the group of each of its test environments. Items are dicts with the keys `trial_seed`,
    `dataset`, `algorithm`, `test_env` and `records` (a Q).
    """
    groups: dict[tuple[int, str, str, int], list[dict]] = {}
    for record in records:
        args = record["args"]
        for test_env in args["test_envs"]:
            key = args["trial_seed"], args["dataset"], args["algorithm"], test_env
            groups.setdefault(key, []).append(record)
    names = "trial_seed", "dataset", "algorithm", "test_env"
    return Q({**dict(zip(names, key, strict=True)), "records": Q(groups[key])} for key in sorted(groups))


def merge_records(records: Q) -> Q:
    """Fold the records whose `args` agree apart from `holdout_fraction` into one dict, later values winning.

    This joins the two stages of train_autolr; where records name their stage, the order in the file does not matter.
    """
    merged: dict[Any, dict] = {}
    for record in sorted(records, key=lambda record: record.get("stage", 0)):
        identity = recursive_freeze(remove_key(record["args"], "holdout_fraction"))
        merged.setdefault(identity, {}).update(record)
    return Q(merged.values())


def recursive_freeze(value: Any) -> Any:
    """Hashable: dicts become frozensets of items, lists and tuples become tuples."""
    if isinstance(value, dict):
        return frozenset((key, recursive_freeze(inner)) for key, inner in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(map(recursive_freeze, value))
    return value


def remove_key(mapping: dict, key: Any) -> dict:
    """A copy without the key."""
    return {name: value for name, value in mapping.items() if name != key}
