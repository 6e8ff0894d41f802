"""Processes that do one kind of work for as long as a run lasts."""

import contextlib
import itertools
import signal
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from typing import Any

import torch
import torch.multiprocessing

from domainbed.cpus import usable_cpus
from domainbed.errors import InputError
from domainbed.running import signals

AHEAD = 2  # tasks per worker that are begun before their results are asked for
# What the system may send to all processes of a run is for the run itself, which ends its workers.
LEFT_TO_THE_RUN = (signal.SIGINT, *signals.SIGNALS)


class WorkerKilled(RuntimeError):
    """A process ended that should answer tasks."""


class Workers:
    """Processes that answer `work(task)`, each task by the next process in turn; they start with the first task.

    Args:
        work: what they do; it and the tasks are sent to them, tensors in its results through shared memory.
        count: how many; 0 does the work here, when a result is asked for.
    """

    def __init__(self, work: Callable[[Any], Any], count: int):
        self.work, self.count = work, count
        self._connections: list[Connection] = []
        self._finalizer: Finalize | None = None
        self._numbers = itertools.count()
        self._results: dict[int, Any] = {}
        self._expected: list[deque[int]] = [deque() for _ in range(count)]

    def results(self, tasks: Iterable[Any]) -> Iterator[Any]:
        """The results in the order of the tasks. Several iterators can be in use at once.

        Raises:
            InputError: what `work` raised.
            WorkerKilled: the system, or somebody, killed a worker.
            RuntimeError: with the traceback of any other error in a worker.
        """
        if not self.count:
            yield from map(self.work, tasks)
            return
        tasks, begun = iter(tasks), deque[int]()
        begun.extend(self._begin(task) for task in itertools.islice(tasks, AHEAD * self.count))
        while begun:
            result = self._result(begun.popleft())
            begun.extend(self._begin(task) for task in itertools.islice(tasks, 1))
            yield result

    def close(self) -> None:
        """End the processes; a later task starts new ones."""
        if self._finalizer:
            self._finalizer()
        self._connections, self._finalizer = [], None

    def _begin(self, task: Any) -> int:
        if not self._connections:
            self._start()
        number = next(self._numbers)
        with self._alive():
            self._connections[number % self.count].send(task)
        self._expected[number % self.count].append(number)
        return number

    def _result(self, number: int) -> Any:
        worker = number % self.count
        while number not in self._results:
            with self._alive():
                self._results[self._expected[worker].popleft()] = self._connections[worker].recv()
        result = self._results.pop(number)
        if isinstance(result, Exception):
            raise result
        return result

    @contextlib.contextmanager
    def _alive(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, ConnectionError):
            self.close()
            raise WorkerKilled(
                "a process that loads images was killed, most often for want of memory, or of /dev/shm, of which a"
                " container has more with --shm-size; fewer --num_workers need less, --num_workers 0 needs no /dev/shm"
            ) from None

    def _start(self) -> None:
        if self.count > usable_cpus():
            warnings.warn(
                f"{self.count} processes load images for {usable_cpus()} CPUs; fewer --num_workers would be as fast",
                stacklevel=2,
            )
        context = torch.multiprocessing.get_context()
        processes: list[BaseProcess] = []
        self._expected = [deque() for _ in range(self.count)]
        for _ in range(self.count):
            ours, theirs = context.Pipe()
            self._connections.append(ours)
            # A forked process has the run's ends of all pipes so far, and would keep them open.
            args = (theirs, list(self._connections), self.work)
            process = context.Process(target=_serve, args=args, daemon=True)
            process.start()
            theirs.close()
            processes.append(process)
        # Also where the run ends without `close`: workers that wait for a task would keep the program from ending.
        self._finalizer = Finalize(self, _end, (self._connections, processes), exitpriority=1)


def _end(connections: list[Connection], processes: list[BaseProcess]) -> None:
    for connection in connections:
        connection.close()
    for process in processes:
        process.kill()
        process.join()


def _serve(connection: Connection, others: list[Connection], work: Callable[[Any], Any]) -> None:
    """Answer tasks until the other end is closed, as it is when the run ends however it does."""
    for other in others:
        other.close()
    for number in LEFT_TO_THE_RUN:
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            task = connection.recv()
            connection.send(_answer(work, task))


def _answer(work: Callable[[Any], Any], task: Any) -> Any:
    try:
        return work(task)
    except InputError as error:
        return error
    except Exception:  # which may be of a kind that cannot be sent, and would lose its traceback
        return RuntimeError(f"in a process that loads images:\n{traceback.format_exc()}")
