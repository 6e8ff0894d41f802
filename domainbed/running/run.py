"""One training run: the loop, its evaluations, and the files it leaves.

A run's randomness depends on (seed, step) alone, so one that was interrupted continues from its last checkpoint
as if nothing had happened. The order in which files are written makes that true at every instant: each record before
the checkpoint that follows it, `done` when everything else is there, and only then the checkpoints are removed. Other
checkpoints lie between records: every few minutes, and where a signal ends the run (docs/guarantees.md).
"""

import contextlib
import copy
import itertools
import math
import random
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from domainbed import datasets
from domainbed.algorithms import get_algorithm_class
from domainbed.algorithms.base import Algorithm, Minibatch
from domainbed.datasets.image_cache import ImageCache
from domainbed.errors import InputError
from domainbed.files import is_done, remove_leftovers, write_done
from domainbed.networks.backbones import recorded
from domainbed.reports.records import append_record, read_records, records_file, training_seconds, write_records
from domainbed.running import checkpoints, signals
from domainbed.running.arguments import Arguments
from domainbed.running.batches import BatchLoader
from domainbed.running.evaluation import TrainingDomains, accuracy, evaluation_batch
from domainbed.running.loading import Split, TrainingLoader, evaluation_batches, split_environments
from domainbed.running.metrics import MetricMeans
from domainbed.running.numerics import Numerics
from domainbed.seeds import seed_hash


class Diverged(RuntimeError):
    """An update returned a number that is not finite."""


class Run:
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
        hparams = recorded(hparams)
        self.arguments, self.hparams, self.device = arguments, hparams, device
        self.output_dir = Path(arguments.output_dir)
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
        seed_everything(arguments.seed)
        self.dataset = datasets.get_dataset_class(arguments.dataset)(arguments.data_dir, arguments.test_envs, hparams)
        exact = arguments.exact_images
        self.loader = BatchLoader(self.dataset.datasets, num_workers, device, exact, None if exact else cache)
        self.environments = split_environments(
            self.dataset.datasets,
            arguments.test_envs,
            arguments.trial_seed,
            arguments.holdout_fraction,
            arguments.uda_holdout_fraction,
        )
        seed_everything(seed_hash(arguments.seed, "weights"))
        algorithm_class = get_algorithm_class(arguments.algorithm)
        self.num_domains = len(self.environments) - len(arguments.test_envs)
        algorithm = algorithm_class(self.dataset.input_shape, self.dataset.num_classes, self.num_domains, hparams)
        self.numerics = Numerics.of(arguments)
        self.algorithm = self.numerics.prepare(algorithm.to(device))
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
        remove_leftovers(self.output_dir)
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
            progress(steps), self._minibatches(steps), self._unlabeled(steps), strict=False
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
                metrics = self.algorithm.after_training(self._training_domains())
            if self.algorithm.REPORTS_LAST:
                step_time = training_seconds(read_records(self._records)) / (self._step + 1)
                record = self._record(self._step, metrics | {"step_time": step_time})
                write_records(self.output_dir / "results.jsonl", [record])
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

    def _minibatches(self, steps: range) -> Iterator[list[Minibatch]]:
        splits = {f"env{index}": self.environments[index].training for index in self._training_indices()}
        return self._loader(splits).batches(steps.start, steps.stop)

    def _unlabeled(self, steps: range) -> Iterator[list[Tensor] | None]:
        if self.arguments.task != "domain_adaptation":
            return itertools.repeat(None)
        loader = self._loader({name: split for name, split in self._splits().items() if name.endswith("uda")})
        return ([x for x, _ in batch] for batch in loader.batches(steps.start, steps.stop))

    def _loader(self, splits: dict[str, Split]) -> TrainingLoader:
        balanced = self.hparams["class_balanced"]
        return TrainingLoader(splits, self.hparams["batch_size"], self.arguments.seed, balanced, self.loader)

    def _training_indices(self) -> list[int]:
        return [index for index in range(len(self.environments)) if index not in self.arguments.test_envs]

    def _update(self, step: int, minibatches: list[Minibatch], unlabeled: list[Tensor] | None) -> dict[str, float]:
        seed_everything(seed_hash(self.arguments.seed, "update", step))
        with self.numerics.update(self.device):
            metrics = self.algorithm.update(minibatches, unlabeled)
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise Diverged(f"step {step}: {name} is {value}; the records so far are kept; try a smaller lr")
        return metrics

    def _checkpoint(self, step: int, metrics: dict[str, float]) -> dict[str, Any]:
        record = self._record(step, metrics)
        self._records.parent.mkdir(exist_ok=True)
        append_record(self._records, record)
        with self.numerics.evaluation(self.device):
            self.algorithm.after_evaluation(self._training_domains())
        if self.arguments.save_model_every_checkpoint:
            self._save_model(f"model_step{step}.pkl")
        self._means = MetricMeans()
        self._save(self._state())
        return record

    def _record(self, step: int, metrics: dict[str, float]) -> dict[str, Any]:
        return {
            "step": step,
            "epoch": step / self._steps_per_epoch(),
            **metrics,
            **self._accuracies(step),
            "mem_gb": torch.cuda.max_memory_allocated() / 2**30 if self.device.type == "cuda" else 0.0,
            "hparams": self.hparams,
            "args": self.arguments.record(),
        }

    @property
    def _records(self) -> Path:
        """The records of the weights in training, which are the run's result unless its algorithm reports the last."""
        return records_file(self.output_dir, self.algorithm.REPORTS_LAST)

    def _training_domains(self) -> TrainingDomains:
        seed_everything(seed_hash(self.arguments.seed, "training domains", self._step))
        held_out = {f"env{index}_out": self.environments[index].held_out for index in self._training_indices()}
        splits = {name: split for name, split in held_out.items() if len(split)}
        return TrainingDomains(
            self.algorithm,
            self.device,
            lambda: (loader for _, loader in self._evaluation_batches(splits)),
            lambda count: self._minibatches(range(self._step + 1, self._step + 1 + count)),
        )

    def _state(self) -> dict[str, Any]:
        """What training continues from; where a record is due, that comes first."""
        return {
            "args": self.arguments.record(),
            "step": self._step,
            "metrics": self._means.state(),
            "algorithm": self.algorithm.state_dict(),
            "fingerprints": self.dataset.fingerprints(),
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

    def _steps_per_epoch(self) -> float:
        return min(len(environment.training) / self.hparams["batch_size"] for environment in self.environments)

    def _splits(self) -> dict[str, Split]:
        """Every split that is evaluated, in order; the uda splits are counted, not named by environment."""
        unlabeled = [environment.unlabeled for environment in self.environments if environment.unlabeled]
        splits = {f"env{i}_in": environment.training for i, environment in enumerate(self.environments)}
        splits |= {f"env{i}_out": environment.held_out for i, environment in enumerate(self.environments)}
        splits |= {f"env{j}_uda": split for j, split in enumerate(unlabeled)}
        return {name: split for name, split in splits.items() if len(split)}

    def _accuracies(self, step: int) -> dict[str, float]:
        seed_everything(seed_hash(self.arguments.seed, "evaluation", step))
        with self.numerics.evaluation(self.device):
            return {
                f"{name}_acc": accuracy(self.algorithm, loader, None, self.device)
                for name, loader in self._evaluation_batches(self._splits())
            }

    def _evaluation_batches(self, splits: dict[str, Split]) -> Iterator[tuple[str, Iterator[Minibatch]]]:
        size = evaluation_batch(self.algorithm, self.dataset.input_shape, self.device)
        return evaluation_batches(splits, self.arguments.seed, self.loader, size)

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
        self._check_same_samples(path, state.get("fingerprints"))
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

    def _check_same_samples(self, path: Path, before: list[str] | None) -> None:
        """Check that splits are of the samples with which the run began; checkpoints of earlier versions do not say."""
        now = self.dataset.fingerprints()
        if before in (None, now):
            return
        changed = [index for index, (old, new) in enumerate(itertools.zip_longest(before, now)) if old != new]
        raise InputError(
            f"{self.arguments.dataset}: samples were added, removed or renamed since this run began, in environment"
            f" {', '.join(map(str, changed))}, which moves the splits; restore them, or delete {path} and results.jsonl"
            " to train from the start"
        )


def seed_everything(seed: int) -> None:
    """Seed the generators of Python, NumPy and PyTorch, those of the accelerators in use included."""
    random.seed(seed)
    np.random.seed(seed)
    # torch.manual_seed also prepares devices that nobody uses, which takes twenty times as long.
    torch.default_generator.manual_seed(seed)
    for accelerator in (torch.cuda, torch.xpu):
        if accelerator.is_initialized():
            accelerator.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)
