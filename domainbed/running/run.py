"""One training run: the loop, its evaluations, and the files it leaves.

A run's randomness depends on (seed, step) alone, so one that was interrupted continues from its last checkpoint
as if nothing had happened. The order in which files are written makes that true at every instant: each record before
the checkpoint that follows it, `done` when everything else is there, and only then the last checkpoint is removed.
"""

import contextlib
import itertools
import math
import random
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
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
from domainbed.files import remove_leftovers, whole_file
from domainbed.networks.backbones import recorded
from domainbed.reports.records import append_record, read_records, write_records
from domainbed.running import checkpoints
from domainbed.running.arguments import Arguments
from domainbed.running.batches import BatchLoader
from domainbed.running.evaluation import accuracy, evaluation_batch
from domainbed.running.loading import Split, TrainingLoader, evaluation_batches, split_environments
from domainbed.seeds import seed_hash

CHECKPOINT = "checkpoint.pt"


def is_done(output_dir: Path) -> bool:
    """Whether the run in that directory has ended; nothing of it may be changed then."""
    return (output_dir / "done").exists()


def remove_checkpoint(output_dir: Path) -> None:
    """Remove the checkpoint of a run that is done."""
    if (output_dir / CHECKPOINT).exists():
        (output_dir / CHECKPOINT).unlink(missing_ok=True)


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
        cache: of decoded images.
    """

    def __init__(
        self,
        arguments: Arguments,
        hparams: dict[str, Any],
        device: torch.device,
        num_workers: int = 0,
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
        self.algorithm = algorithm_class(
            self.dataset.input_shape, self.dataset.num_classes, self.num_domains, hparams
        ).to(device)
        self.steps = arguments.steps or self.dataset.N_STEPS
        self.checkpoint_freq = arguments.checkpoint_freq or self.dataset.CHECKPOINT_FREQ

    def records(self, progress: Callable[[range], Iterable[int]] = iter) -> Iterator[dict[str, Any]]:
        """Train, and yield each record once it is in results.jsonl; at the end, write model.pkl and `done`.

        Args:
            progress: wraps the range of steps left, as tqdm does.

        Raises:
            Diverged: an update returned NaN or infinity; what was recorded is kept and `done` is not written.
            InputError: the checkpoint to continue from is lost, damaged, or another run's, or its records are lost.
        """
        remove_leftovers(self.output_dir)
        if not is_done(self.output_dir):
            with contextlib.closing(self.loader):
                yield from self._train(range(self._resume(), self.steps), progress)
            self._save_model("model.pkl")
            with whole_file(self.output_dir / "done", "w") as file:
                file.write("done")
        remove_checkpoint(self.output_dir)

    def _train(self, steps: range, progress: Callable[[range], Iterable[int]]) -> Iterator[dict[str, Any]]:
        meter = MetricMeans()
        for step, minibatches, unlabeled in zip(
            progress(steps), self._minibatches(steps), self._unlabeled(steps), strict=False
        ):
            meter.add(self._update(step, minibatches, unlabeled))
            if self._is_recorded(step):
                yield self._checkpoint(step, meter.means())
                meter = MetricMeans()

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
        metrics = self.algorithm.update(minibatches, unlabeled)
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise Diverged(f"step {step}: {name} is {value}; the records so far are kept; try a smaller lr")
        return metrics

    def _checkpoint(self, step: int, metrics: dict[str, float]) -> dict[str, Any]:
        record = {
            "step": step,
            "epoch": step / self._steps_per_epoch(),
            **metrics,
            **self._accuracies(step),
            "mem_gb": torch.cuda.max_memory_allocated() / 2**30 if self.device.type == "cuda" else 0.0,
            "hparams": self.hparams,
            "args": self.arguments.record(),
        }
        append_record(self.output_dir / "results.jsonl", record)
        if self.arguments.save_model_every_checkpoint:
            self._save_model(f"model_step{step}.pkl")
        self._warn_of_unsaved_state()
        state = {"args": self.arguments.record(), "step": step, "algorithm": self.algorithm.state_dict()}
        checkpoints.save(self.output_dir / CHECKPOINT, state)
        return record

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
        size = evaluation_batch(self.algorithm, self.dataset.input_shape, self.device)
        batches = evaluation_batches(self._splits(), self.arguments.seed, self.loader, size)
        return {f"{name}_acc": accuracy(self.algorithm, loader, None, self.device) for name, loader in batches}

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

    def _resume(self) -> int:
        """Continue from the checkpoint, dropping records after it; without one, start over. Returns the next step."""
        path, records = self.output_dir / CHECKPOINT, self.output_dir / "results.jsonl"
        present = read_records(records) if records.exists() else []
        if not path.exists():
            # A run that was killed before its first checkpoint has the record of step 0 at most.
            if any(record["step"] > 0 for record in present):
                raise InputError(
                    f"{records} holds {len(present)} records and there is no {CHECKPOINT} to continue from;"
                    f" restore it, or delete {records.name} to train from the start"
                )
            records.unlink(missing_ok=True)
            return 0
        state = checkpoints.load_run_state(path)
        self.arguments.check_same_run(state["args"])
        before_checkpoint = [record for record in present if record["step"] <= state["step"]]
        expected = {step for step in range(state["step"] + 1) if self._is_recorded(step)}
        if lost := expected - {record["step"] for record in before_checkpoint}:
            raise InputError(
                f"{records} has lost the records of {len(lost)} steps before {path}, such as step {min(lost)};"
                f" restore the file, or delete it and {CHECKPOINT} to train from the start"
            )
        checkpoints.continue_from(path, self.algorithm, state["algorithm"])
        write_records(records, before_checkpoint)
        return state["step"] + 1


class MetricMeans:
    """Means of the metrics that the updates returned since the last record, and of the seconds that they took."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = defaultdict(list)
        self.since = time.perf_counter()
        self.count = 0

    def add(self, metrics: dict[str, float]) -> None:
        """Take in one update's metrics."""
        self.count += 1
        for name, value in metrics.items():
            self.values[name].append(value)

    def means(self) -> dict[str, float]:
        """The mean of each metric over the updates that returned it, and `step_time`, data loading included."""
        elapsed = time.perf_counter() - self.since
        means = {name: float(np.mean(values)) for name, values in self.values.items()}
        return means | {"step_time": elapsed / self.count}


def seed_everything(seed: int) -> None:
    """Seed the generators of Python, NumPy and PyTorch."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
