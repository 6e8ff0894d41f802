"""Reading image files as 8-bit RGB, whatever they hold."""

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from domainbed.errors import InputError

TOLERATE = """--hparams '{"tolerate_truncated": true}'"""
RESTORE = "restore it, or delete it, which changes the splits"

_pil_globals = threading.RLock()  # held while one is changed


def read_image(path: str, tolerate_truncated: bool = False) -> Any:
    """A PIL image of mode RGB, its pixels as they are stored: the orientation that EXIF may give is not applied.

    Of an animation that is the first frame, of 16 bits the upper eight, of transparent pixels the colour.

    Args:
        tolerate_truncated: read what there is of a file cut short; the rest is grey or black.

    Raises:
        InputError: it cannot be read, is larger than PIL reads, or has pixels of 32 bits.
    """
    from PIL import Image

    try:
        return _decoded(path)
    except Image.DecompressionBombError as error:
        reason = str(error).partition(",")[0]
        raise InputError(f"{path} is larger than PIL reads ({reason}); save it smaller under the same name") from error
    except InputError as error:
        raise InputError(f"{path} {error}") from error
    except MemoryError:  # says nothing of the file
        raise
    except Exception as error:  # PIL's readers raise whatever the damage leads to
        reason = _reason(path, error)
        remedy = "restore it, and the same command continues" if getattr(error, "errno", None) else RESTORE
        if "truncated" in reason.lower():
            if tolerate_truncated:
                return _rest(path)
            remedy = f"restore it, or read what is there of it with {TOLERATE}; deleting it changes the splits"
        raise InputError(f"{path} cannot be read as an image ({reason}); {remedy}") from error


def _decoded(path: str) -> Any:
    from PIL import Image

    # What PIL warns of is metadata, or a size that it reads nevertheless.
    with _pil_globals, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opened = Image.open(path)
    with opened as image:
        if image.mode in ("I", "F") or image.mode.startswith("I;16"):
            image = _upper_bits(image)
        if "transparency" in image.info:  # PIL warns when it drops that of a palette
            image = image.convert("RGBA")
        return image.convert("RGB")


def _upper_bits(image: Any) -> Any:
    """The upper eight of the 16 bits of each pixel. PIL itself would clip them."""
    import numpy as np
    from PIL import Image

    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() >= 2**16:
        raise InputError("has pixels of 32 bits, and nothing says which is white; save it with 8 or 16 bits")
    return Image.fromarray((values >> 8).astype(np.uint8))


def _rest(path: str) -> Any:
    """What there is of a truncated image."""
    try:
        with _tolerance():
            image = _decoded(path)
    except MemoryError:
        raise
    except Exception as error:
        raise InputError(f"{path} cannot be read as an image ({_reason(path, error)}); {RESTORE}") from error
    if all(low == high for low, high in image.getextrema()):
        raise InputError(f"{path} cannot be read as an image (it ends before the first pixel); {RESTORE}")
    return image


@contextmanager
def _tolerance() -> Iterator[None]:
    from PIL import ImageFile

    with _pil_globals:
        before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


def _reason(path: str, error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, OSError) and error.strerror:
        return f"a link to {os.readlink(path)}: {error.strerror}" if os.path.islink(path) else error.strerror
    if isinstance(error, UnidentifiedImageError):
        return "PIL knows no such format" if os.path.getsize(path) else "it is empty"
    return " ".join(str(error).split()) or type(error).__name__
