"""One training run: the loop, its evaluations, and the files it leaves.

A run's randomness depends on (seed, step) alone, so one that was interrupted continues from its last checkpoint
as if nothing had happened. The order in which files are written makes that true at every instant: each record before
the checkpoint that follows it, `done` when everything else is there, and only then the checkpoints are removed. Other
checkpoints lie between records: every few minutes, and where a signal ends the run (docs/guarantees.md).
"""

import contextlib
import copy
import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from domainbed.algorithms.base import Algorithm, Minibatch
from domainbed.datasets.image_cache import ImageCache
from domainbed.errors import InputError
from domainbed.files import is_done, remove_leftovers, write_done
from domainbed.reports.records import (
    Result,
    append_record,
    read_records,
    records_file,
    training_seconds,
    write_records,
)
from domainbed.running import checkpoints, signals
from domainbed.running.arguments import Arguments
from domainbed.running.experiment import Experiment, seed_everything
from domainbed.running.metrics import MetricMeans
from domainbed.seeds import seed_hash


class Diverged(RuntimeError):
    """An update returned a number that is not finite."""

    REMEDY = "the records so far are kept; try a smaller lr"
    """Ends the message, by which the line in `failed` is told from that of other failures."""


class Run(Experiment):
    """One training run in `arguments.output_dir`, continued if it was interrupted there and left alone if it is done.

    Who trains must hold the lock of the directory (`running.lock`).

    Args:
        arguments: what decides the numbers.
        hparams: from `Arguments.all_hparams`.
        device: of the model and the minibatches.
        num_workers: processes that load images; data in memory needs none.
        checkpoint_minutes: most time between two checkpoints, unless one update takes longer.
        cache: of decoded images.
    """

    def __init__(
        self,
        arguments: Arguments,
        hparams: dict[str, Any],
        device: torch.device,
        num_workers: int = 0,
        checkpoint_minutes: float = 10,
        cache: ImageCache | None = None,
    ):
        super().__init__(arguments, hparams, device, num_workers, cache)
        self.output_dir = Path(arguments.output_dir)
        self.steps = arguments.steps or self.dataset.N_STEPS
        self.checkpoint_freq = arguments.checkpoint_freq or self.dataset.CHECKPOINT_FREQ
        self.checkpoint_seconds = 60 * checkpoint_minutes
        self._step, self._means = -1, MetricMeans()  # the last update, and what the next record tells of it
        self._state_before: dict[str, Any] | None = None  # of what is abandoned when a signal ends the run
        self._saved_at = time.monotonic()

    def records(self, progress: Callable[[range], Iterable[int]] = iter) -> Iterator[dict[str, Any]]:
        """Train, and yield each record once it is in results.jsonl; at the end, write model.pkl and `done`.

        Args:
            progress: wraps the range of steps left, as tqdm does.

        Raises:
            Diverged: an update returned NaN or infinity; what was recorded is kept and `done` is not written.
            Stopped: a signal ended the run, and its state has been saved (`running.signals`).
            InputError: the checkpoint to continue from is lost, damaged, or another run's, or its records are lost.
        """
        self._records.parent.mkdir(exist_ok=True)
        for directory in {self.output_dir, self._records.parent}:
            remove_leftovers(directory)
        if not is_done(self.output_dir):
            self._resume()
            try:
                with contextlib.closing(self.loader):
                    if not self.algorithm.finished:
                        yield from self._train(range(self._step + 1, self.steps), progress)
                    yield from self._result()
            except signals.Stopped:
                self._save(self._state_before or self._state())
                raise
            self._save_model("model.pkl")
            write_done(self.output_dir)
        checkpoints.remove(self.output_dir)

    def _train(self, steps: range, progress: Callable[[range], Iterable[int]]) -> Iterator[dict[str, Any]]:
        if self._record_is_due():
            yield self._recorded()
        for step, minibatches, unlabeled in zip(
            progress(steps), self.minibatches(steps), self.unlabeled(steps), strict=True
        ):
            with self._abandoned_if_stopped() if self.algorithm.next_update_is_long() else signals.deferred():
                self._means.add(self._update(step, minibatches, unlabeled))
                self._step = step
            if time.monotonic() - self._saved_at >= self.checkpoint_seconds:
                self._save(self._state())
            if self._record_is_due():
                yield self._recorded()
                if self.algorithm.finished:
                    return

    def _result(self) -> Iterator[dict[str, Any]]:
        """Let the algorithm end its training; the record that follows, where it reports the last alone."""
        with self._abandoned_if_stopped():
            with self.numerics.evaluation(self.device):
                metrics = self.algorithm.after_training(self.training_domains(self._step))
            if self.algorithm.REPORTS_LAST:
                step_time = training_seconds(read_records(self._records)) / (self._step + 1)
                record = Result(self._record(self._step, metrics | {"step_time": step_time}))
                write_records(records_file(self.output_dir), [record])
                yield record

    @contextmanager
    def _abandoned_if_stopped(self) -> Iterator[None]:
        """A block that a signal ends at once; the state before it is the one that is saved then."""
        self._state_before = copy.deepcopy(self._state())
        yield
        self._state_before = None
        signals.raise_if_asked()

    def _recorded(self) -> dict[str, Any]:
        with self._abandoned_if_stopped():
            return self._checkpoint(self._step, self._means.means())

    def _record_is_due(self) -> bool:
        return self._means.count > 0 and self._is_recorded(self._step)

    def _is_recorded(self, step: int) -> bool:
        return step % self.checkpoint_freq == 0 or step == self.steps - 1

    def _update(self, step: int, minibatches: list[Minibatch], unlabeled: list[Tensor] | None) -> dict[str, float]:
        seed_everything(seed_hash(self.arguments.seed, "update", step))
        with self.numerics.update(self.device):
            metrics = self.algorithm.update(minibatches, unlabeled)
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise Diverged(f"step {step}: {name} is {value}; {Diverged.REMEDY}")
        return metrics

    def _checkpoint(self, step: int, metrics: dict[str, float]) -> dict[str, Any]:
        record = self._record(step, metrics)
        append_record(self._records, record)
        with self.numerics.evaluation(self.device):
            self.algorithm.after_evaluation(self.training_domains(self._step))
        if self.arguments.save_model_every_checkpoint:
            self._save_model(f"model_step{step}.pkl")
        self._means = MetricMeans()
        self._save(self._state())
        self._means = MetricMeans()  # whose seconds begin after the checkpoint
        return record

    def _record(self, step: int, metrics: dict[str, float]) -> dict[str, Any]:
        return {
            "step": step,
            "epoch": step / self.steps_per_epoch(),
            **metrics,
            **self.accuracies(step),
            "mem_gb": torch.cuda.max_memory_allocated() / 2**30 if self.device.type == "cuda" else 0.0,
            "hparams": self.hparams,
            "args": self.arguments.record(),
        }

    @property
    def _records(self) -> Path:
        """The records of the weights in training, which are the run's result unless its algorithm reports the last."""
        return records_file(self.output_dir, self.algorithm.REPORTS_LAST)

    def _state(self) -> dict[str, Any]:
        """What training continues from; where a record is due, that comes first."""
        return {
            "args": self.arguments.record(),
            "step": self._step,
            "metrics": self._means.state(),
            "algorithm": self.algorithm.state_dict(),
            "fingerprints": self.fingerprints,
        }

    def _save(self, state: dict[str, Any]) -> None:
        if state["step"] < 0:
            return
        self._warn_of_unsaved_state()
        with signals.deferred():
            checkpoints.save_run_state(self.output_dir, state)
            self._state_before, self._saved_at = None, time.monotonic()

    def _warn_of_unsaved_state(self) -> None:
        algorithms = [part for part in self.algorithm.modules() if isinstance(part, Algorithm)]
        unsaved = {f"{type(part).__name__}.{name}" for part in algorithms for name in part.unsaved()}
        if unsaved:
            warnings.warn(
                f"not saved in checkpoints: {', '.join(sorted(unsaved))}; a resumed run starts it anew; give its class"
                " state_dict and load_state_dict, or name it in STATELESS if no later update depends on it",
                stacklevel=2,
            )

    def _save_model(self, name: str) -> None:
        if self.arguments.skip_model_save:
            return
        checkpoints.save(
            self.output_dir / name,
            {
                "args": self.arguments.record(),
                "model_input_shape": tuple(self.dataset.input_shape),
                "model_num_classes": self.dataset.num_classes,
                "model_num_domains": self.num_domains,
                "model_hparams": self.hparams,
                "model_dict": checkpoints.weights(self.algorithm),
            },
        )

    def _resume(self) -> None:
        """Continue from the last checkpoint, dropping records after it; without one, start over."""
        records = self._records
        present = read_records(records) if records.exists() else []
        found = checkpoints.load_run_state(self.output_dir)
        if found is None:
            # A run that was killed before its first checkpoint has the record of step 0 at most.
            if any(record["step"] > 0 for record in present):
                raise InputError(
                    f"{records} holds {len(present)} records and there is no {checkpoints.LAST} to continue from;"
                    f" restore it, or delete {records.name} to train from the start"
                )
            records.unlink(missing_ok=True)
            return
        path, state = found
        self.arguments.check_same_run(state["args"])
        self.check_same_samples(path, state.get("fingerprints"))
        checkpoints.load_into(path, self.algorithm, state["algorithm"])
        self._step, self._means = state["step"], MetricMeans(state.get("metrics"))
        recorded = range(self._step if self._record_is_due() else self._step + 1)
        before_checkpoint = [record for record in present if record["step"] in recorded]
        expected = {step for step in recorded if self._is_recorded(step)}
        if lost := expected - {record["step"] for record in before_checkpoint}:
            raise InputError(
                f"{records} has lost the records of {len(lost)} steps before {path}, such as step {min(lost)};"
                " restore the file, or delete it and checkpoint*.pt to train from the start"
            )
        checkpoints.continue_with(path)
        write_records(records, before_checkpoint)
