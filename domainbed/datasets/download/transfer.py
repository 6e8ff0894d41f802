"""One file over HTTP: from the first source that delivers it, continued where it broke off.

The bytes so far are in `.NAME.part`, where they came from in `.NAME.part.json`; NAME appears once it is whole.
"""

import hashlib
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from domainbed.datasets.download.pages import BEGINNING, Unavailable, confirmation, is_page
from domainbed.datasets.download.room import DISK_FULL, check_room, disk_full
from domainbed.files import whole_file

ATTEMPTS = 5  # without a byte of progress, at each source
CHUNK = 1 << 20
WORTH_A_RETRY = (408, 425, 429)  # of the client errors; the others stay what they are


def fetch(
    sources: Sequence[str],
    path: Path,
    size: int | None = None,
    checksum: str | None = None,
    pause: float = 1.0,
    timeout: float = 60.0,
) -> None:
    """Download to `path`, in an existing folder; the bytes of an earlier, interrupted call are kept.

    Args:
        sources: addresses of the same file, tried in this order, one that was broken off first.
        path: where the file is put once it is whole.
        size: in bytes, where known.
        checksum: "sha256:..." or "md5:...", where known.
        pause: seconds before the first retry; they double with each one in vain.
        timeout: seconds of silence after which a connection counts as broken.

    Raises:
        Unavailable: no source delivers it.
        InputError: the disk is full.
    """
    partials = [_Partial(path, source) for source in sources]
    reasons = []
    for partial in sorted(partials, key=lambda partial: partial.size == 0):
        try:
            _with_retries(partial, size, pause, timeout)
            _check(partial, size, checksum)
        except Unavailable as reason:
            reasons.append(f"{partial.source}: {reason}")
        else:
            partial.path.replace(path)
            partial.origin.unlink()
            return
    raise Unavailable("; ".join(reasons))


def digest(path: Path, kind: str) -> str:
    """The checksum of a file, as "sha256:..." for the kind sha256."""
    state = hashlib.new(kind)
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            state.update(chunk)
    return f"{kind}:{state.hexdigest()}"


class _Partial:
    """What has arrived of a file from a source: nothing, if the bytes on disk came from another one."""

    def __init__(self, path: Path, source: str):
        self.path = path.with_name(f".{path.name}.part")
        self.origin = path.with_name(f".{path.name}.part.json")
        self.name, self.source = path.name, source

    def _read(self) -> dict[str, Any]:
        try:
            return json.loads(self.origin.read_bytes())
        except (OSError, ValueError):
            return {}

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() and self._read().get("source") == self.source else 0

    @property
    def version(self) -> str | None:
        """What the server called the version of the file that these bytes are of."""
        return self._read().get("version")

    def start_over(self, version: str | None) -> None:
        self.path.unlink(missing_ok=True)
        with whole_file(self.origin, "w") as file:
            json.dump({"source": self.source, "version": version}, file)


def _check(partial: _Partial, size: int | None, checksum: str | None) -> None:
    """Drop what has arrived, and raise Unavailable, if it is not the known file."""
    if size is not None and partial.size != size:
        found, known = f"{partial.size} bytes", str(size)
    elif checksum is not None and (found := digest(partial.path, checksum.partition(":")[0])) != checksum:
        known = checksum
    else:
        return
    partial.start_over(None)
    raise Unavailable(f"another file than the known one ({found} instead of {known})")


def _with_retries(partial: _Partial, size: int | None, pause: float, timeout: float) -> None:
    """Continue until the file is whole, unless a source refuses it or fails ATTEMPTS times without progress."""
    most, failures = partial.size, 0
    while True:
        try:
            return _continue(partial, size, timeout)
        except urllib.error.HTTPError as error:
            if error.code == 416:  # there is nothing behind the bytes we have
                if error.headers.get("Content-Range") == f"bytes */{partial.size}":
                    return
                partial.start_over(None)
            elif 400 <= error.code < 500 and error.code not in WORTH_A_RETRY:
                raise Unavailable(f"HTTP {error.code} {error.reason}") from None
            reason = str(error)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                raise disk_full(partial.path.parent) from None
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        failures = 0 if partial.size > most else failures + 1
        most = max(most, partial.size)
        if failures == ATTEMPTS:
            raise Unavailable(f"{reason}, {ATTEMPTS} times")
        time.sleep(pause * 2 ** (failures - 1))


def _continue(partial: _Partial, size: int | None, timeout: float) -> None:
    """Ask for the bytes that are lacking, and return once all are there."""
    with _open(partial, partial.source, timeout) as response:
        first = response.read(BEGINNING)
        if not is_page(response, first):
            return _receive(partial, response, first, size)
        page = first + response.read(CHUNK)
    with _open(partial, confirmation(page, response.url), timeout) as response:
        first = response.read(BEGINNING)
        if is_page(response, first):
            raise Unavailable("a web page instead of the file, though its form was sent")
        _receive(partial, response, first, size)


def _open(partial: _Partial, address: str, timeout: float) -> Any:
    headers = {"User-Agent": "domainbed-gga"}
    if partial.size:
        headers["Range"] = f"bytes={partial.size}-"
        if partial.version:
            headers["If-Range"] = partial.version
    return urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=timeout)


def _receive(partial: _Partial, response: Any, first: bytes, size: int | None) -> None:
    """Append what the server sends, or replace what we have where it sends all."""
    if response.status != 206:
        etag = response.headers.get("ETag", "")
        # A weak tag promises the same content, not the same bytes.
        partial.start_over(etag if etag.startswith('"') else response.headers.get("Last-Modified"))
    elif not (response.headers.get("Content-Range") or "").startswith(f"bytes {partial.size}-"):
        partial.start_over(None)
        raise ConnectionError("the server continued at another byte than asked for")
    length = response.headers.get("Content-Length")
    total = partial.size + int(length) if length else None
    if size is not None and total is not None and total != size:
        raise Unavailable(f"another file than the known one ({total} bytes instead of {size})")
    if total is not None:
        check_room(partial.name, total - partial.size, partial.path.parent)
    progress = tqdm(total=total, initial=partial.size, desc=partial.name, unit="B", unit_scale=True, disable=None)
    with progress, open(partial.path, "ab") as file:
        while first:
            file.write(first)
            progress.update(len(first))
            first = response.read1(CHUNK)
    if total is not None and partial.size != total:
        raise ConnectionError(f"broke off at {partial.size} of {total} bytes")
