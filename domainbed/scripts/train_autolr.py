"""Train ERM++ in two stages: find the learning rate schedule on validation data, then use it on all data."""

import argparse
import sys
from collections.abc import Sequence

from domainbed.running.auto_lr import AutoLR
from domainbed.scripts import train


def build_parser() -> argparse.ArgumentParser:
    """The flags of the train script, and --auto_lr."""
    parser = train.build_parser()
    parser.description = __doc__
    parser.set_defaults(algorithm="ERMPlusPlus")
    parser.add_argument("--auto_lr", action="store_true", help="what this script always does, as in DomainBed")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Returns what the train script does."""
    options = vars(train.parsed(build_parser(), argv))
    del options["auto_lr"]
    if options.pop("list"):
        train.list_names()
        return 0
    return train.trained(options, AutoLR)


if __name__ == "__main__":
    sys.exit(main())
