"""What is left of a sweep, and which of it a launch takes up."""

from collections.abc import Iterable
from dataclasses import dataclass

from domainbed.sweeping.jobs import Job


@dataclass(frozen=True)
class Left:
    """The jobs that are not done.

    Attributes:
        fresh: never launched.
        stopped: launched, but nobody trains them: they never began, were interrupted, or were killed.
        failed: their last attempt ended with an error.
        live: a process trains them now.
    """

    fresh: list[Job]
    stopped: list[Job]
    failed: list[Job]
    live: list[Job]

    def chosen(self, resume: bool, retry: bool) -> list[Job]:
        """Those that a launch takes: the fresh ones, with `resume` the stopped ones, with `retry` those that failed."""
        return self.fresh + (self.stopped if resume else []) + (self.failed if retry else [])


def what_is_left(jobs: Iterable[Job]) -> Left:
    """Sort the jobs that are not done by what their directories say now."""
    left = Left([], [], [], [])
    for job in jobs:
        if job.state == Job.NOT_LAUNCHED:
            left.fresh.append(job)
        elif job.state == Job.INCOMPLETE:
            _list_of(left, job).append(job)
    return left


def _list_of(left: Left, job: Job) -> list[Job]:
    if job.is_live():
        return left.live
    return left.stopped if job.last_error() is None else left.failed
