"""Failures of the machine that a run can continue after, each as one line."""

import errno
from pathlib import Path

import torch

from domainbed.running.workers import WorkerKilled

# Others may be mistakes in an algorithm or a dataset, whose traceback says more.
OF_THE_MACHINE = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ENOMEM,
}  # fmt: skip


def machine_failure(error: Exception, output_dir: Path) -> str | None:
    """The line for a full or vanished disk, a lack of memory, or a lost data-loading worker; None for other errors.

    Args:
        error: that ended the run.
        output_dir: of the run, named where the system does not say which file it was.
    """
    reason = str(error).partition("\n")[0]
    if isinstance(error, OSError) and error.errno in OF_THE_MACHINE:
        place = error.filename or output_dir
        return f"{place}: {error.strerror}; once that is mended, the same command continues"
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return f"the GPU is out of memory; try a smaller batch_size, or fewer jobs on it: {reason}"
    if isinstance(error, MemoryError) or "can't allocate memory" in reason:
        return f"out of memory ({reason}); where there is more, the same command continues"
    if isinstance(error, WorkerKilled):
        return f"{reason}; the same command continues"
    return None
