"""The setting of a run that is there, for another run with it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from domainbed.errors import InputError
from domainbed.reports.records import read_records
from domainbed.running.arguments import Arguments


def setting_of(run: str | Path, given_hparams: str | None = None) -> dict[str, Any]:
    """The recorded arguments of a run, output_dir excepted, with all its hyperparameters in `hparams`.

    Args:
        run: its directory.
        given_hparams: JSON object that goes before the run's hyperparameters.

    Raises:
        InputError: the directory has no records, or `given_hparams` is no JSON object.
    """
    path = Path(run) / "results.jsonl"
    records = read_records(path) if path.exists() else []
    if not records:
        raise InputError(f"--hparams_from {run}: no records in {path}; give the directory of a run")
    last = records[-1]
    names = {field.name for field in dataclasses.fields(Arguments)} - {"output_dir"}
    recorded = {name: value for name, value in last["args"].items() if name in names}
    hparams = last["hparams"] | Arguments(hparams=given_hparams).given_hparams()
    return recorded | {"hparams": json.dumps(hparams), "hparams_seed": 0, "fixed_hparams": False}
