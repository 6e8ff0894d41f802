"""Files of sweeps: each line has the flags of one part, in the words of a shell; # begins a comment.

A line's --output_dir is a directory inside that of the command line, so that parts with other hyperparameters do not
meet in one table. Every other flag of the command line takes precedence over the lines.
"""

import argparse
import os
import shlex
from pathlib import Path

from domainbed.errors import InputError


def requests(parser: argparse.ArgumentParser, argv: list[str], path: str) -> list[argparse.Namespace]:
    """The parsed flags of every part.

    Args:
        parser: of the sweep script.
        argv: its command line, which comes after the flags of each line.
        path: of the file.

    Raises:
        InputError: the file cannot be read, or has no line of flags.
    """
    parts = [_part(parser, words, argv) for words in _lines(path)]
    if not parts:
        raise InputError(f"{path} has no line of flags, such as: --datasets PACS --algorithms ERM GGA")
    return parts


def _lines(path: str) -> list[list[str]]:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"--from {path} cannot be read ({error}); give a file of flags, such as sweeps/table1.txt"
        ) from None
    try:
        lines = [shlex.split(line, comments=True) for line in text.replace("\\\n", " ").splitlines()]
    except ValueError as error:
        raise InputError(f"{path} has a line that a shell would not understand: {error}") from None
    return [words for words in lines if words]


OF_THE_LAUNCH = (
    "cache_dir", "checkpoint_minutes", "command_launcher", "device", "dry_run", "follow", "from_file", "jobs",
    "jobs_per_gpu", "json", "logger", "num_workers", "only_new", "resume_incomplete", "retry_failed", "seed",
    "skip_confirmation", "slurm", "watch",
)  # fmt: skip


def _part(parser: argparse.ArgumentParser, words: list[str], argv: list[str]) -> argparse.Namespace:
    given = parser.parse_args(argv)
    part = parser.parse_args([given.command, *words])
    ignored = [name for name in OF_THE_LAUNCH if getattr(part, name) != parser.get_default(name)]
    if ignored:
        raise InputError(f"--{ignored[0]} in a line of a sweep file is of the launch; give it on the command line")
    directory = given.output_dir
    if part.output_dir != parser.get_default("output_dir"):
        directory = os.path.join(directory, part.output_dir)
    parser.parse_args(argv, namespace=part)  # sets what the command line has, and no default
    part.output_dir = directory
    return part
