"""The rating page's server: loopback only, no name or number of an agent in anything it sends.

GET  /, /rate.css, /rate.js, /icon.svg     the page
GET  /study                                raters, game, guide, what a feature may show, number of features, the token
GET  /rater?name=NAME                      the rater's order of features and their answers so far
GET  /pictures/FEATURE-SHEET.png           what is seen of a feature
POST /answers                              {token, rater, feature, rating, shows, seen} as JSON
"""

import errno
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from rollouts.documents import to_json
from rollouts.errors import InputError
from scoring.rating.answers import Answers, Superseded
from scoring.rating.messages import Refused, about, as_sent, body_length, known_rater, read_rating
from scoring.rating.served import SHEETS, Served, picture

ADDRESS = "127.0.0.1"
LOOPBACK = (ADDRESS, "localhost", "[::1]")
"""Names under which a browser reaches this machine, or another one's port that is forwarded to it."""
WAITING = 1024
"""Connections that may wait to be accepted; the kernel may allow fewer."""

PAGE = Path(__file__).parent / "page"
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/rate.css": ("rate.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    "/rate.js": ("rate.js", "text/javascript; charset=utf-8"),
}
JSON = "application/json; charset=utf-8"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@contextmanager
def _explained(port: int) -> Iterator[None]:
    try:
        yield
    except OverflowError:
        raise InputError(f"port is {port}; it must be 0 to 65535.") from None
    except OSError as error:
        why = "in use by another program" if error.errno == errno.EADDRINUSE else f"refused: {error.strerror}"
        raise InputError(f"Port {port} is {why}; choose another with port=NUMBER, or port=0 for a free one.") from error


def check_port(port: int) -> None:
    """Raises `InputError` for a port that cannot be served on now."""
    with _explained(port), socket.create_server((ADDRESS, port)):
        pass


def is_loopback(host: str | None) -> bool:
    """Whether a request's Host is this machine and a port, be it that of a forwarded connection."""
    name, _, port = (host or "").rpartition(":")
    return name in LOOPBACK and port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536


class RatingServer(ThreadingHTTPServer):
    """Serves one study on 127.0.0.1; raises `InputError` for a port that is taken or not allowed."""

    daemon_threads = True
    request_queue_size = WAITING

    def __init__(self, folder: Path, study: Served, answers: Answers, port: int) -> None:
        self.study, self.answers = study, answers
        with _explained(port):
            super().__init__((ADDRESS, port), Handler)
        self.pictures = {
            f"/pictures/{number}-{sheet}.png": picture(folder, number, sheet)
            for number in range(study.features)
            for sheet in SHEETS
        }

    @property
    def address(self) -> str:
        return f"http://{ADDRESS}:{self.server_port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: RatingServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "rating", ""
    timeout = 60

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, method: Callable[[], tuple[bytes, str]]) -> None:
        try:
            if not is_loopback(self.headers.get("Host")):  # else a page could reach us under a name of its own
                raise Refused(HTTPStatus.FORBIDDEN, "This server answers to its own loopback address only.")
            self._send(HTTPStatus.OK, *method())
        except Refused as refused:
            self._refuse(refused)
        except sqlite3.Error as error:
            self._refuse(Refused(HTTPStatus.INTERNAL_SERVER_ERROR, f"The answer could not be kept: {error}."))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class found wrong with a request, such as its method, answered like everything else."""
        status = HTTPStatus(code)
        self._refuse(Refused(status, f"{message or status.phrase}."))

    def _refuse(self, refused: Refused) -> None:
        self.close_connection = True  # what is left of the request is not read
        self.request_version = self.protocol_version  # so that a line that names none is answered in full
        self._send(refused.status, _json({"error": refused.sentence, **refused.more}), JSON)

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _get(self) -> tuple[bytes, str]:
        server = self.server
        try:
            url = urlsplit(self.path)
        except ValueError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, f"The address cannot be read: {error}.") from error
        if url.path in FILES:
            name, kind = FILES[url.path]
            return (PAGE / name).read_bytes(), kind
        if url.path in server.pictures:
            return server.pictures[url.path].read_bytes(), "image/png"
        if url.path == "/study":
            return _json(about(server.study, server.answers)), JSON
        if url.path == "/rater":
            rater = known_rater(parse_qs(url.query).get("name", [""])[0], server.answers)
            given = {number: as_sent(answer) for number, answer in server.answers.of(rater).items()}
            return _json({"order": server.study.order(rater), "answers": given}), JSON
        raise Refused(HTTPStatus.NOT_FOUND, "There is nothing here.")

    def _post(self) -> tuple[bytes, str]:
        server = self.server
        if self.headers.get("Origin") != f"http://{self.headers.get('Host')}":
            raise Refused(HTTPStatus.FORBIDDEN, "Answers are taken from this server's own page only.")
        if self.path != "/answers":
            raise Refused(HTTPStatus.NOT_FOUND, "There is nothing here.")
        if self.headers.get_content_type() != "application/json":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "An answer is sent as application/json.")
        body = self.rfile.read(body_length(self.headers.get("Content-Length", "")))
        sent = read_rating(body, server.study, server.answers)
        position = server.study.order(sent.rater).index(sent.feature) + 1
        try:
            stored = server.answers.record(sent.rater, sent.feature, position, sent.rating, sent.shows, sent.seen)
        except Superseded as error:
            raise Refused(HTTPStatus.CONFLICT, str(error), stored=as_sent(error.stored)) from error
        return _json(as_sent(stored)), JSON

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal shows the address and nothing else."""


def _json(document: Mapping[str, Any]) -> bytes:
    return to_json(document).encode()
