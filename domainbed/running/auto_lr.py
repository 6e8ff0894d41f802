"""Training in two stages, of an algorithm that finds its learning rate schedule on validation data (ERM++).

Stage 1 is a run that asks the algorithm's `set_lr` at each checkpoint, and ends when that says so. Stage 2 trains anew
on all data of the training environments, validation data included, with the schedule that was found. Both sample
without replacement.

Source: P. Teterwak et al., ERM++: An Improved Baseline for Domain Generalization, 2023, arXiv:2304.01973, section 3.
"""

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from domainbed.algorithms import get_algorithm_class
from domainbed.errors import InputError
from domainbed.files import is_done, whole_file, write_done
from domainbed.reports.records import Record, Result, read_records, write_records
from domainbed.running.arguments import Arguments
from domainbed.running.loading import Split, WithoutReplacement, evaluation_batches
from domainbed.running.run import Run

SCHEDULE = "lr_schedule.json"
STOP = [0.0]
Progress = Callable[[range], Iterable[int]]


class AutoLR:
    """Both stages in `arguments.output_dir`, continued if they were interrupted there and left alone if done.

    Each stage is a run in a directory of its own, `stage1` and `stage2`; `results.jsonl` has the records of both, told
    apart by their `stage`, and `model.pkl` is that of stage 2. Records have the main optimizer's learning rate, `lr`,
    in the updates before them. Those of stage 2 have their accuracies as `fd_env0_in_acc`, for full data.

    Args and lock: as `running.run.Run`; `machine` is its device and what follows that.

    Raises:
        InputError: the algorithm has no `set_lr`, or there is no validation data.
    """

    def __init__(self, arguments: Arguments, hparams: dict[str, Any], *machine: Any):
        if not hasattr(get_algorithm_class(arguments.algorithm), "set_lr"):
            raise InputError(f"{arguments.algorithm} has no set_lr to find a learning rate with; use ERMPlusPlus")
        self.output_dir = Path(arguments.output_dir)
        self._search = _Search(arguments, hparams, *machine)
        self.arguments, self.hparams, self.algorithm = arguments, self._search.hparams, self._search.algorithm
        self.dataset, self.loader = self._search.dataset, self._search.loader
        self._replay = lambda: _Replay(arguments, hparams, *machine)

    def records(self, progress: Progress = iter) -> Iterator[Record]:
        """As `Run.records`: train, and yield each record once it is in results.jsonl."""
        if is_done(self.output_dir):
            return
        yield from self._stage(self._search, progress)
        replay = self._replay()
        yield from map(Result, self._stage(replay, progress))
        if (replay.output_dir / "model.pkl").exists():
            (replay.output_dir / "model.pkl").replace(self.output_dir / "model.pkl")
        write_done(self.output_dir)

    def _stage(self, stage: "_Stage", progress: Progress) -> Iterator[Record]:
        stage.output_dir.mkdir(exist_ok=True)
        for record in stage.records(progress):
            self._gather()
            yield record
        self._gather()

    def _gather(self) -> None:
        paths = [self.output_dir / stage.NAME / "results.jsonl" for stage in (_Search, _Replay)]
        records = [record for path in paths if path.exists() for record in read_records(path)]
        write_records(self.output_dir / "results.jsonl", records)


class _Stage(Run):
    """A run in the directory NAME below `arguments.output_dir` that samples without replacement."""

    NAME: ClassVar[str]

    def __init__(self, arguments: Arguments, hparams: dict[str, Any], *machine: Any):
        super().__init__(self._split_as(arguments), hparams, *machine)
        self.arguments = arguments
        self.output_dir = self.output_dir / self.NAME

    def _split_as(self, arguments: Arguments) -> Arguments:
        return arguments

    def _loader(self, splits: dict[str, Split]) -> WithoutReplacement:
        balanced = self.hparams["class_balanced"]
        return WithoutReplacement(splits, self.hparams["batch_size"], self.arguments.seed, balanced, self.loader)

    def _lr(self) -> float:
        algorithm: Any = self.algorithm
        return float(algorithm.optimizer.param_groups[0]["lr"])

    def _set_lr(self, *args: Any, **options: Any) -> None:
        algorithm: Any = self.algorithm
        algorithm.set_lr(*args, **options)


class _Search(_Stage):
    """Stage 1: find the schedule, and leave it in SCHEDULE: step of a checkpoint -> learning rate from there on."""

    NAME = "stage1"

    def __init__(self, arguments: Arguments, hparams: dict[str, Any], *machine: Any):
        super().__init__(arguments, hparams, *machine)
        if not self.validation_splits():
            raise InputError("no validation data to find a learning rate with; raise --holdout_fraction")

    def _train(self, steps: range, progress: Progress) -> Iterator[Record]:
        if not self._stopped():
            for record in super()._train(steps, progress):
                yield record
                if self._stopped():
                    break
        self._write_schedule()

    def _checkpoint(self, step: int, metrics: dict[str, float]) -> Record:
        metrics = {**metrics, "lr": self._lr(), "stage": 1}
        # Before the checkpoint is written, which thereby holds what the scheduler has learned.
        splits = [{name: split} for name, split in self.validation_splits().items()]
        loaders = [next(evaluation_batches(split, self.arguments.seed, self.loader))[1] for split in splits]
        with self.numerics.evaluation(self.device):
            self._set_lr(loaders, None, self.device)
        return super()._checkpoint(step, metrics)

    def _schedule(self) -> list[list[float]]:
        algorithm: Any = self.algorithm
        return algorithm.lr_schedule

    def _stopped(self) -> bool:
        return self._schedule()[-1:] == [STOP]

    def _write_schedule(self) -> None:
        steps = [record["step"] for record in read_records(self.output_dir / "results.jsonl")]
        # The first checkpoints, while the classifier learns alone, have no entry.
        found = self._schedule()
        entries = dict(zip(steps[len(steps) - len(found) :], (lr for (lr,) in found), strict=True))
        with whole_file(self.output_dir / SCHEDULE, "w") as file:
            json.dump({"steps": steps[-1] + 1, "lr": entries}, file)


class _Replay(_Stage):
    """Stage 2: as many updates as stage 1, on all data, with the learning rates that it found."""

    NAME = "stage2"

    def __init__(self, arguments: Arguments, hparams: dict[str, Any], *machine: Any):
        super().__init__(arguments, hparams, *machine)
        found = json.loads((Path(arguments.output_dir) / _Search.NAME / SCHEDULE).read_bytes())
        self.steps = found["steps"]
        self._lr_from = {int(step): lr for step, lr in found["lr"].items()}

    def _split_as(self, arguments: Arguments) -> Arguments:
        return dataclasses.replace(arguments, holdout_fraction=0.0)

    def _checkpoint(self, step: int, metrics: dict[str, float]) -> Record:
        metrics = {**metrics, "lr": self._lr(), "stage": 2}
        if step in self._lr_from:
            self._set_lr(schedule=[[self._lr_from[step]]])
        return super()._checkpoint(step, metrics)

    def accuracies(self, step: int) -> dict[str, float]:
        return {f"fd_{name}": value for name, value in super().accuracies(step).items()}
