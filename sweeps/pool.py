"""Training runs in processes that stay, so that PyTorch is imported once for many short runs."""

import contextlib
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from multiprocessing.pool import Pool

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread a run, before torch counts the cores

from tqdm import tqdm

from domainbed.scripts import train

RUNS_OF_A_PROCESS = 40


@contextlib.contextmanager
def processes(jobs: int) -> Iterator[Pool]:
    """As many processes as runs at a time."""
    with multiprocessing.get_context("spawn").Pool(jobs, maxtasksperchild=RUNS_OF_A_PROCESS) as pool:
        yield pool
        pool.close()
        pool.join()


def train_all(runs: Sequence[Sequence[str]], pool: Pool) -> list[int]:
    """The exit codes of runs, each the words of a command line of `train`; one that is done already is left alone."""
    return list(tqdm(pool.imap(run, runs), total=len(runs), unit="run"))


def run(words: Sequence[str]) -> int:
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        return train.main(words)
