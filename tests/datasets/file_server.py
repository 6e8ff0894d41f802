"""A server of files with the manners of those that datasets are fetched from; the first part of a path says which."""

import hashlib
import http.server
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ASKS = """<!DOCTYPE html><html><body><form id="download-form" action="/confirmed/{name}" method="get">
<input type="submit" value="Download anyway"/>
<input type="hidden" name="id" value="a b"><input type="hidden" name="confirm" value="t"></form></body></html>"""
QUOTA = "<html><title>Quota exceeded</title>Too many users have viewed this file recently.</html>"
PIECE = 4096


@dataclass
class Server:
    """url("breaks", "x.zip") is where x.zip is delivered by the manner `breaks`."""

    folder: Path
    port: int = 0
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """Manner and Range header of every request."""

    def url(self, manner: str, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{manner}/{name}"

    def ranges(self, manner: str) -> list[str | None]:
        return [asked for found, asked in self.requests if found == manner]


class Handler(http.server.BaseHTTPRequestHandler):
    server_state: Server

    def do_GET(self):
        address = urlsplit(self.path)
        manner, name = address.path.strip("/").split("/")
        state = self.server_state
        state.requests.append((manner, self.headers.get("Range")))
        content = (state.folder / name).read_bytes()
        if manner == "redirects":
            self.send_response(302)
            self.send_header("Location", f"/whole/{name}")
            self.end_headers()
        elif manner == "asks":
            self._page(ASKS.format(name=name))
        elif manner == "quota" or (
            manner == "confirmed" and parse_qs(address.query) != {"id": ["a b"], "confirm": ["t"]}
        ):
            self._page(QUOTA)
        elif manner == "missing":
            self.send_error(404)
        elif manner == "busy" and len(state.ranges("busy")) < 3:
            self.send_error(503)
        else:
            self._file(manner, content)

    def _page(self, text):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(text.encode())

    def _file(self, manner, content):
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        tag = f'"{hashlib.md5(content).hexdigest()}"'
        start = 0
        if asked and manner != "forgets" and self.headers.get("If-Range", tag) == tag:
            start = int(asked[1])
        if start and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self._body(manner, content[start:])

    def _body(self, manner, content):
        if manner == "breaks":  # after half of what is left
            content = content[: (len(content) + 1) // 2] if len(content) > 2000 else content
        if manner == "dies":
            content = b""
        stalls = manner == "stalls" and len(self.server_state.ranges("stalls")) == 1
        if stalls:
            content = content[: len(content) // 2]
        for i in range(0, len(content), PIECE):
            self.wfile.write(content[i : i + PIECE])
            if manner == "slow":
                self.wfile.flush()
                time.sleep(0.02)
        if stalls:
            time.sleep(1)
        self.close_connection = True

    def log_message(self, *_):
        pass


class Threaded(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):  # clients that are killed
        pass


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """The files of a folder, on a free port of this machine."""
    state = Server(folder)
    handler = type("Handler", (Handler,), {"server_state": state})
    with Threaded(("127.0.0.1", 0), handler) as server:
        state.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
