"""Plot similarity, loss and work of a run's searches, from its records.

    python -m domainbed_gga.diagnose RUN_FOLDER [--output searches.png]

Four panels over the training steps: similarity before and after the search, candidates accepted, rise of the loss,
and the domain gradients computed beside the n·D of all candidates (an ascent step computes four more). A record holds
the mean over the steps since the one before it: train with --checkpoint_freq 1 to see every search.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from domainbed_gga.testbed import training_environments

Record = dict[str, Any]


def read_searches(run: Path) -> list[Record]:
    """The records of a run that hold searches. A last line that was cut short is left out.

    Raises:
        ValueError: no records, or none of a search.
    """
    path = run / "results.jsonl"
    if not path.is_file():
        raise ValueError(f"{run} is no folder of a run: it has no results.jsonl")
    whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n")
    records = [json.loads(line) for line in whole.splitlines()]
    searches = [record for record in records if "gga_sim_start" in record]
    if not searches:
        raise ValueError(f"{path} has no record of a search; was the algorithm GGA, and its window reached?")
    return searches


def gradients_of_all(record: Record) -> float:
    """n·D: the domain gradients of a search that computes them all."""
    hparams = record["hparams"]
    ascended = hparams["gga_proposal"] == "ascent" and "gga_fell_back" not in record
    candidates = hparams["gga_ascent_steps" if ascended else "gga_search_steps"]
    return candidates * training_environments(record)


def draw(searches: list[Record], path: Path) -> None:
    """Write the figure."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    steps = [record["step"] for record in searches]
    figure, ((similarity, accepted), (rise, computed)) = pyplot.subplots(
        2, 2, figsize=(9, 6), sharex=True, layout="constrained"
    )
    for name, label, marker in (("gga_sim_start", "before the search", "o"), ("gga_sim_end", "after", ".")):
        similarity.plot(steps, [record[name] for record in searches], marker, fillstyle="none", label=label)
    similarity.set_title("smallest cosine between domains' gradients")
    similarity.legend()
    accepted.plot(steps, [record["gga_accepted"] for record in searches], marker=".")
    accepted.set_title("candidates accepted")
    rise.plot(steps, [record["gga_loss_rise"] for record in searches], marker=".")
    rise.set(title="rise of the loss by the search", xlabel="training step")
    shares = [record["gga_gradients"] / max(gradients_of_all(record), 1) for record in searches]
    computed.plot(steps, shares, marker=".")
    computed.set(title="domain gradients computed / n·D", xlabel="training step")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    figure.savefig(unfinished, dpi=150, format=path.suffix[1:] or "png")
    os.replace(unfinished, path)
    pyplot.close(figure)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run, with its results.jsonl")
    parser.add_argument("--output", type=Path, default=Path("searches.png"), help="default: searches.png")
    return parser


def main(argv: list[str] | None = None) -> int:
    options = build_parser().parse_args(argv)
    try:
        searches = read_searches(options.run)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    draw(searches, options.output)
    print(f"{len(searches)} records of searches drawn in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
