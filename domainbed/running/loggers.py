"""Experiment trackers: the scalars of every record, sent to TensorBoard or to what a package offers.

To add one, offer it under the entry point group `domainbed.loggers`: a class that is constructed as
`cls(output_dir, config)` and has the methods of `Logger`.
"""

import contextlib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from domainbed.errors import InputError
from domainbed.registry import Registry
from domainbed.reports.records import Record, Result

OF_RESULT = "result/"


class Logger(Protocol):
    """A tracker of one run."""

    def log(self, step: int, scalars: dict[str, float]) -> None:
        """Take in a record. After an interruption, steps may come again from the last checkpoint on.

        The step of a result is one that training had too; its names begin with OF_RESULT.
        """

    def close(self) -> None:
        """Send what is left; nothing is logged after it."""


class LoggerClass(Protocol):
    """What makes a `Logger`."""

    def __call__(self, output_dir: Path, config: dict[str, Any]) -> Logger:
        """The tracker of the run in `output_dir`, whose `config` holds its args and hparams by name."""


class TensorBoard:
    """Event files in output_dir/tensorboard; `tensorboard --logdir SWEEP_DIR` shows a sweep's."""

    def __init__(self, output_dir: Path, config: dict[str, Any]):
        self.directory, self.config = output_dir / "tensorboard", config
        self.writer: Any = None

    def log(self, step: int, scalars: dict[str, float]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        if self.writer is None:
            # Events that an interrupted run left from this step on are no longer shown, unless training is over.
            again = None if any(name.startswith(OF_RESULT) for name in scalars) else step
            self.writer = SummaryWriter(str(self.directory), purge_step=again)
            self.writer.add_text("config", "\n".join(f"    {name}: {value}" for name, value in self.config.items()))
        for name, value in scalars.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def close(self) -> None:
        if self.writer:
            self.writer.close()


_loggers: Registry[LoggerClass] = Registry("Logger", "domainbed.loggers", {"tensorboard": TensorBoard})


def logger_names() -> list[str]:
    """Every tracker, those of installed packages last."""
    return list(_loggers.entries())


def check_loggers(names: Sequence[str]) -> None:
    """Check trackers by name, before anything is written.

    Raises:
        UnknownName: there is none of a name.
        InputError: its package is missing.
    """
    for name in names:
        _loggers.get(name)
        if name == "tensorboard" and find_spec("tensorboard") is None:
            raise InputError("--logger tensorboard needs the package: pip install tensorboard")


def make_loggers(names: Sequence[str], output_dir: Path, args: dict[str, Any], hparams: dict[str, Any]) -> list[Logger]:
    """The trackers of those names, which `check_loggers` knows; one that fails is left out with a warning."""
    config = {**{f"args/{name}": value for name, value in args.items()}, **hparams}
    made = []
    for name in names:
        try:
            made.append(_loggers.get(name)(output_dir, config))
        except Exception as error:
            warnings.warn(f"{name} logs nothing ({type(error).__name__}: {error})", stacklevel=2)
    return made


def scalars(record: Record) -> dict[str, float]:
    """The numbers of a record, the step aside: accuracies, metrics, times. Names of a `Result` begin with OF_RESULT."""
    prefix = OF_RESULT if isinstance(record, Result) else ""
    numbers = {name: value for name, value in record.items() if name != "step" and isinstance(value, (int, float))}
    return {prefix + name: float(value) for name, value in numbers.items()}


def tracked(records: Iterable[Record], loggers: Sequence[Logger]) -> Iterator[Record]:
    """Pass records on once every tracker has them. One that fails is left out with a warning; training goes on."""
    working = list(loggers)
    try:
        for record in records:
            numbers = scalars(record)
            for logger in list(working):
                try:
                    logger.log(record["step"], numbers)
                except Exception as error:
                    working.remove(logger)
                    _close(logger)
                    reason = f"{type(error).__name__}: {error}"
                    warnings.warn(f"{type(logger).__name__} logs nothing more ({reason})", stacklevel=2)
            yield record
    finally:
        for logger in working:
            _close(logger)


def _close(logger: Logger) -> None:
    with contextlib.suppress(Exception):  # what it could not send is lost, the run is not
        logger.close()
