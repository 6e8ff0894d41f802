"""Means of what the updates return."""

import time
from typing import Any

import numpy as np


class MetricMeans:
    """Means of the metrics that the updates returned since the last record, and of the seconds that they took.

    Args:
        state: from the `state` of another one, to go on where that was.
    """

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        state = state or {"values": {}, "count": 0, "seconds": 0.0}
        self.values: dict[str, list[float]] = {name: list(values) for name, values in state["values"].items()}
        self.count: int = state["count"]
        self.since = time.perf_counter() - state["seconds"]

    def add(self, metrics: dict[str, float]) -> None:
        """Take in one update's metrics."""
        self.count += 1
        for name, value in metrics.items():
            self.values.setdefault(name, []).append(float(value))

    def means(self) -> dict[str, float]:
        """The mean of each metric over the updates that returned it, and `step_time`, data loading included."""
        means = {name: float(np.mean(values)) for name, values in self.values.items()}
        return means | {"step_time": self._seconds() / self.count}

    def state(self) -> dict[str, Any]:
        """What the means depend on, as plain values."""
        return {"values": self.values, "count": self.count, "seconds": self._seconds()}

    def _seconds(self) -> float:
        return time.perf_counter() - self.since
