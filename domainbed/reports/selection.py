"""Model selection methods, of Gulrajani & Lopez-Paz (ICLR 2021), section 3: which record of a run counts.

A run is the set of records that share (trial_seed, dataset, algorithm, test environment, hparams_seed); it includes
the runs that hold out one environment more, with which leave-one-domain-out validates.
"""

from typing import Any

from domainbed.reports.grouping import merge_records
from domainbed.reports.query import Q
from domainbed.reports.records import num_environments

Accuracies = dict[str, float]


def get_test_records(records: Q) -> Q:
    """The records with exactly one test environment."""
    return records.filter(lambda record: len(record["args"]["test_envs"]) == 1)


class SelectionMethod:
    """Chooses a record of each run, and the best run, by a validation accuracy. Never instantiated."""

    name: str

    def __init__(self) -> None:
        raise TypeError(f"{type(self).__name__} is used as a class, not instantiated")

    @classmethod
    def run_acc(cls, run_records: Q) -> Accuracies | None:
        """`{"val_acc", "test_acc"}` of the record that counts, each in [0, 1]; None if the records don't tell."""
        raise NotImplementedError

    @classmethod
    def hparams_accs(cls, records: Q) -> list[tuple[Accuracies, Q]]:
        """(run_acc, its records) for every hparams_seed, best val_acc first.

        NaN is the worst; of equals, the larger hparams_seed comes first.
        """
        runs = [(cls.run_acc(run), run) for _, run in records.group("args.hparams_seed")]
        valid = Q((accuracies, run) for accuracies, run in runs if accuracies is not None)
        return valid.sorted(lambda entry: entry[0]["val_acc"])[::-1]

    @classmethod
    def sweep_acc(cls, records: Q) -> float | None:
        """The test accuracy of the best hparams_seed, or None if there is none."""
        accuracies = cls.hparams_accs(records)
        return accuracies[0][0]["test_acc"] if accuracies else None


class OracleSelectionMethod(SelectionMethod):
    """The last record, validated on held-out data of the test environment, without early stopping."""

    name = "test-domain validation set (oracle)"

    @classmethod
    def run_acc(cls, run_records: Q) -> Accuracies | None:
        records = get_test_records(run_records)
        if not records:
            return None
        last = records.sorted(lambda record: record["step"])[-1]
        test_env = _test_env(last)
        if f"env{test_env}_out_acc" not in last:
            return None
        return {"val_acc": last[f"env{test_env}_out_acc"], "test_acc": last[f"env{test_env}_in_acc"]}


class IIDAccuracySelectionMethod(SelectionMethod):
    """The record with the best mean accuracy on held-out data of the training environments."""

    name = "training-domain validation set"
    test_key = "env{}_in_acc"

    @classmethod
    def run_acc(cls, run_records: Q) -> Accuracies | None:
        steps = get_test_records(run_records).map(cls._step_acc).filter_not_none()
        return steps.argmax("val_acc") if steps else None

    @classmethod
    def _step_acc(cls, record: dict[str, Any]) -> Accuracies | None:
        test_env = _test_env(record)
        test_key = cls.test_key.format(test_env)
        keys = [f"env{env}_out_acc" for env in range(num_environments(record)) if env != test_env]
        # an environment too small for an out split has no such key
        held_out = Q(record[key] for key in keys if key in record)
        if not held_out or test_key not in record:
            return None
        return {"val_acc": held_out.mean(), "test_acc": record[test_key]}


class LeaveOneOutSelectionMethod(SelectionMethod):
    """The step with the best mean accuracy, over the training environments, on each of them held out in its turn."""

    name = "leave-one-domain-out cross-validation"

    @classmethod
    def run_acc(cls, run_records: Q) -> Accuracies | None:
        steps = run_records.group("step").map(lambda step, records: cls._step_acc(records)).filter_not_none()
        return steps.argmax("val_acc") if steps else None

    @classmethod
    def _step_acc(cls, records: Q) -> Accuracies | None:
        test_records = get_test_records(records)
        if len(test_records) != 1:
            return None
        record = test_records[0]
        test_env = _test_env(record)
        scores = {}
        for pair in records.filter(lambda other: len(other["args"]["test_envs"]) == 2):
            (env,) = set(pair["args"]["test_envs"]) - {test_env}
            scores[env] = pair[f"env{env}_in_acc"]
        training = set(range(num_environments(record))) - {test_env}
        if not training or set(scores) != training:
            return None
        return {"val_acc": sum(scores.values()) / len(training), "test_acc": record[f"env{test_env}_in_acc"]}


class IIDAutoLRAccuracySelectionMethod(IIDAccuracySelectionMethod):
    """As training-domain validation, for the model trained again on all the data by train_autolr."""

    name = "auto lr training-domain validation set"
    test_key = "fd_env{}_in_acc"

    @classmethod
    def hparams_accs(cls, records: Q) -> list[tuple[Accuracies, Q]]:
        """As the base's, of records whose two stages are merged here if they are not yet."""
        return super().hparams_accs(merge_records(records))


METHODS: list[type[SelectionMethod]] = [
    IIDAccuracySelectionMethod,
    LeaveOneOutSelectionMethod,
    OracleSelectionMethod,
]
"""Those of the result tables, in their order."""


def _test_env(record: dict[str, Any]) -> int:
    return record["args"]["test_envs"][0]
