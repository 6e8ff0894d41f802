"""What was launched into a sweep's directory: `<output_dir>/launches.jsonl`, one line for each different launch.

A line describes jobs by the lists whose product they are, so that it stays small however many there are, and has what
their datasets say, so that reading it needs neither the data nor PyTorch.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from domainbed.errors import InputError
from domainbed.files import make_directory
from domainbed.reports.records import append_record, write_records
from domainbed.sweeping.jobs import count_environments, job_name, make_args_list

LAUNCHES = "launches.jsonl"


@dataclass(frozen=True)
class Grid:
    """The jobs of one launch.

    Attributes:
        arguments: of `make_args_list`.
        num_environments: of each dataset.
        n_steps: that a run on each dataset has, unless `arguments` say otherwise.
    """

    arguments: dict[str, Any]
    num_environments: dict[str, int]
    n_steps: dict[str, int]

    def args_list(self) -> list[dict[str, Any]]:
        """The arguments of every job."""
        return make_args_list(**self.arguments, num_environments=self.num_environments)


def grid_of(arguments: dict[str, Any]) -> Grid:
    """The grid of these arguments of `make_args_list`, with what their datasets say."""
    names = arguments["dataset_names"]
    steps = {name: n_steps(name, arguments["steps"]) for name in names}
    return Grid(arguments, count_environments(names, arguments["data_dir"]), steps)


def n_steps(dataset: str, given: int | None) -> int:
    """The steps of a run: those given, or else the dataset's own number."""
    from domainbed.datasets import get_dataset_class  # needs PyTorch

    return given or get_dataset_class(dataset).N_STEPS


def record_launch(output_dir: Path, grids: Sequence[Grid]) -> None:
    """Append the grids that the directory's file does not have yet.

    Raises:
        InputError: the directory cannot be made, or its file cannot be read.
    """
    make_directory(output_dir)
    path, present = output_dir / LAUNCHES, recorded_launches(output_dir)
    if path.exists() and not path.read_bytes().endswith(b"\n"):
        write_records(path, map(asdict, present))
    for grid in grids:
        if grid not in present:
            append_record(path, asdict(grid))


def recorded_launches(output_dir: Path) -> list[Grid]:
    """What was launched into a directory; [] where nothing is recorded, as by an original DomainBed.

    Raises:
        InputError: a line does not describe a launch, the last one excepted, which an interruption may have cut short.
    """
    path = output_dir / LAUNCHES
    lines = path.read_bytes().splitlines() if path.exists() else []
    grids = []
    for number, line in enumerate(lines, start=1):
        try:
            grids.append(Grid(**json.loads(line)))
        except (ValueError, TypeError):
            if number < len(lines):
                raise InputError(f"{path}, line {number} does not describe a launch; delete the line") from None
    return grids


def launched_jobs(output_dir: Path) -> dict[str, tuple[dict[str, Any], int]]:
    """name -> (arguments, number of steps) of every job that was launched into a directory."""
    return {
        job_name(args): (args, grid.n_steps[args["dataset"]])
        for grid in recorded_launches(output_dir)
        for args in grid.args_list()
    }
