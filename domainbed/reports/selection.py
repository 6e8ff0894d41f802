"""Model selection methods, of Gulrajani & Lopez-Paz (ICLR 2021), section 3: which record of a run counts.

A run is the set of records that share (trial_seed, dataset, algorithm, test environment, hparams_seed); it includes
the runs that hold out one environment more, with which leave-one-domain-out validates.
"""

from collections.abc import Callable

import pandas as pd

from domainbed.reports import candidates
from domainbed.reports.frames import frame_of, records_of
from domainbed.reports.grouping import get_grouped_records, merge_records
from domainbed.reports.query import Q

Accuracies = dict[str, float]


def get_test_records(records: Q) -> Q:
    """The records with exactly one test environment."""
    return records.filter(lambda record: len(record["args"]["test_envs"]) == 1)


class SelectionMethod:
    """Chooses a record of each run, and the best run, by a validation accuracy. Never instantiated."""

    name: str
    needs: str = "what its class says"
    """For the footer of tables: what a sweep must have for the method to find a number."""

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
        runs = _run_accs(cls, records)
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
    needs = "runs with one test environment, and held-out data of that environment; the last record counts"

    @classmethod
    def run_acc(cls, run_records: Q) -> Accuracies | None:
        return _best(candidates.oracle, run_records)


class IIDAccuracySelectionMethod(SelectionMethod):
    """The record with the best mean accuracy on held-out data of the training environments."""

    name = "training-domain validation set"
    needs = "runs with one test environment, and held-out data of the training environments"

    @classmethod
    def run_acc(cls, run_records: Q) -> Accuracies | None:
        return _best(candidates.training_domain_validation, run_records)


class LeaveOneOutSelectionMethod(SelectionMethod):
    """The step with the best mean accuracy, over the training environments, on each of them held out in its turn."""

    name = "leave-one-domain-out cross-validation"
    needs = (
        "for each training environment a run that holds it out besides the test environment, with the same steps: "
        "a sweep without --single_test_envs"
    )

    @classmethod
    def run_acc(cls, run_records: Q) -> Accuracies | None:
        return _best(candidates.leave_one_domain_out, run_records)


class IIDAutoLRAccuracySelectionMethod(IIDAccuracySelectionMethod):
    """As training-domain validation, for the model trained again on all the data by train_autolr."""

    name = "auto lr training-domain validation set"
    needs = "runs of train_autolr with one test environment, both of whose stages have records"

    @classmethod
    def run_acc(cls, run_records: Q) -> Accuracies | None:
        return _best(candidates.auto_lr_validation, run_records)

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

METHODS_BY_FLAG: dict[str, type[SelectionMethod]] = {
    "iid": IIDAccuracySelectionMethod,
    "loo": LeaveOneOutSelectionMethod,
    "oracle": OracleSelectionMethod,
    "auto_lr": IIDAutoLRAccuracySelectionMethod,
}

CANDIDATES: dict[type[SelectionMethod], Callable[[pd.DataFrame], pd.DataFrame]] = {
    IIDAccuracySelectionMethod: candidates.training_domain_validation,
    LeaveOneOutSelectionMethod: candidates.leave_one_domain_out,
    OracleSelectionMethod: candidates.oracle,
    IIDAutoLRAccuracySelectionMethod: candidates.auto_lr_validation,
}
"""The methods that choose in a whole frame at once; a class written for DomainBed chooses group by group."""


def select(frame: pd.DataFrame, method: type[SelectionMethod]) -> pd.DataFrame:
    """The record that counts of each dataset, algorithm, test environment and trial, in that order of sorting.

    Args:
        frame: from `frames.load`.
        method: the selection method.

    Returns:
        A row for each: `dataset`, `algorithm`, `test_env`, `trial_seed` and `test_acc` in [0, 1]; for the methods of
        this module also `hparams_seed`, `step` and `val_acc` of the record.
    """
    if method in CANDIDATES:
        return candidates.best_runs(CANDIDATES[method](frame)).drop(columns="record")
    rows = []
    for group in get_grouped_records(records_of(frame)):
        accuracy = method.sweep_acc(group["records"])
        if accuracy is not None:
            rows.append({**{name: group[name] for name in candidates.CELL}, "test_acc": accuracy})
    chosen = pd.DataFrame(rows, columns=[*candidates.CELL, "test_acc"])
    return chosen.sort_values(candidates.CELL, kind="stable", ignore_index=True)


def _run_accs(method: type[SelectionMethod], records: Q) -> list[tuple[Accuracies | None, Q]]:
    """(run_acc, its records) for every hparams_seed, in one frame where the method can choose in one."""
    runs = records.group("args.hparams_seed")
    if method not in CANDIDATES:
        return [(method.run_acc(run), run) for _, run in runs]
    best = candidates.best_of_runs(CANDIDATES[method](frame_of(records))).drop_duplicates("hparams_seed")
    accuracies = best.set_index("hparams_seed")[["val_acc", "test_acc"]].to_dict("index")
    return [(accuracies.get(hparams_seed), run) for hparams_seed, run in runs]


def _best(choose_from: Callable[[pd.DataFrame], pd.DataFrame], run_records: Q) -> Accuracies | None:
    """The best candidate among the records of one run."""
    best = candidates.best_of_runs(choose_from(frame_of(run_records)))
    return best[["val_acc", "test_acc"]].iloc[0].to_dict() if len(best) else None
