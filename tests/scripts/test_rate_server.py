"""The rating server under requests that no page sends, in a burst, behind a forwarded port; and the memory it takes."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rating_study import ROOT, Server, serving, synthetic
from scoring.rating.server import is_loopback

BURST = 60


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("rating") / "study"
    synthetic(folder)
    with serving(folder, "raters=[anna,ben]") as running:
        yield running


def raw(server: Server, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the reply to some bytes, the connection being closed by the server."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(request)
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = reply.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body


def test_a_burst_of_connections_loses_none(server: Server) -> None:
    """All are opened before any is used, as a browser's many tabs would."""
    failures: list[str] = []
    together = threading.Barrier(BURST)

    def ask() -> None:
        together.wait()
        try:
            status, _, body = server.ask("GET", "/study")
            assert (status, json.loads(body)["features"]) == (200, 24)
        except (OSError, AssertionError) as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=ask) for _ in range(BURST)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_connections_wait_while_the_server_is_busy(server: Server) -> None:
    """As many as `BURST` are taken at once, without one being accepted: the server is stopped meanwhile."""
    os.kill(server.process.pid, signal.SIGSTOP)
    opened = []
    try:
        for _ in range(BURST):
            opened.append(socket.create_connection(("127.0.0.1", server.port), timeout=2))
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    for connection in opened:
        with connection:
            connection.sendall(f"GET /icon.svg HTTP/1.1\r\nHost: localhost:{server.port}\r\n\r\n".encode())
            connection.settimeout(20)
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


HOST = "Host: localhost:8765"
OWN = f"{HOST}\r\nOrigin: http://localhost:8765\r\nContent-Type: application/json"


@pytest.mark.parametrize(
    ("request_text", "status", "sentence"),
    [
        (f"POST /answers HTTP/1.1\r\n{OWN}\r\nContent-Length: {'9' * 5000}", 413, "An answer has at most 10000 bytes."),
        (f"POST /answers HTTP/1.1\r\n{OWN}\r\nContent-Length: ²", 413, "An answer has at most 10000 bytes."),
        (f"POST /answers HTTP/1.1\r\n{OWN}\r\nContent-Length: -1", 413, "An answer has at most 10000 bytes."),
        (f"POST /answers HTTP/1.1\r\n{OWN}\r\nTransfer-Encoding: chunked", 413, "An answer has at most 10000 bytes."),
        (f"GET http://[ HTTP/1.1\r\n{HOST}", 400, "The address cannot be read: Invalid IPv6 URL."),
        (f"GET //[/study HTTP/1.1\r\n{HOST}", 404, "There is nothing here."),
        (f"BREW /study HTTP/1.1\r\n{HOST}", 501, "Unsupported method ('BREW')."),
        (f"DELETE /answers HTTP/1.1\r\n{OWN}", 501, "Unsupported method ('DELETE')."),
        (f"GET /{'a' * 70_000} HTTP/1.1\r\n{HOST}", 414, "Request-URI Too Long."),
        ("GET /study HTTP/1.1\r\n" + "\r\n".join(f"X-{i}: 1" for i in range(200)), 431, "Too many headers."),
        (f"GET /study HTTP/9.1\r\n{HOST}", 505, "Invalid HTTP version (9.1)."),
        ("one two three four", 400, "Bad request version ('four')."),
    ],
)
def test_what_no_page_sends_is_answered_like_everything_else(
    server: Server, request_text: str, status: int, sentence: str
) -> None:
    found, headers, body = raw(server, request_text.encode("latin-1", "replace") + b"\r\n\r\n")
    assert found == status
    assert json.loads(body) == {"error": sentence}
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert server.get("/study")["features"] == 24


def test_the_page_answers_behind_a_forwarded_port(server: Server) -> None:
    """`ssh -L 9000:localhost:PORT`, or an editor's: the browser names another port, and its page that same one."""
    sent = {
        "token": server.get("/study")["token"],
        "rater": "ben",
        "feature": 1,
        "rating": 3,
        "shows": "coin",
        "seen": 0,
    }
    for host in ("localhost:9000", "127.0.0.1:9000", "[::1]:9000"):
        assert server.ask("GET", "/study", Host=host)[0] == 200
        for origin in (
            "http://localhost:9001",
            f"http://127.0.0.1:{server.port}",
            "https://example.org",
            f"https://{host}",
        ):
            assert server.answer(sent, Host=host, Origin=origin)[0] == 403
    assert server.get("/rater?name=ben")["answers"] == {}
    assert server.answer(sent, Host="localhost:9000", Origin="http://localhost:9000")[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "localhost",
        ":9000",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:99999999999999999999",
        "localhost:8o",
        "localhost:²",
        "localhost.example:9000",
        "example.org:9000",
        "127.0.0.1.nip.io:9000",
        "0.0.0.0:9000",
    ],
)
def test_hosts_that_are_not_this_machine(host: str | None) -> None:
    assert not is_loopback(host)


def test_a_process_that_only_serves_holds_nothing_of_what_made_the_study(server: Server) -> None:
    status = Path(f"/proc/{server.process.pid}/status")
    if not status.exists():
        pytest.skip("this system does not tell a process's memory in /proc")
    assert server.ask("GET", "/pictures/0-places.png")[0] == 200
    kilobytes = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    assert kilobytes < 150_000
    heavy = ("torch", "sklearn", "pandas", "procgen")
    code = f"import sys, scoring.rating.serving; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_a_server_whose_folder_or_port_is_gone_says_so(tmp_path: Path) -> None:
    synthetic(tmp_path / "study")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for folder, port, sentence in (
            ("elsewhere", 0, "elsewhere/study.json cannot be read: No such file or directory."),
            ("study", taken.getsockname()[1], "is in use by another program; choose another"),
        ):
            (tmp_path / folder).mkdir(exist_ok=True)
            command = [sys.executable, "-m", "scoring.rating.serving", str(tmp_path / folder), str(port)]
            done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
            assert done.returncode == 1
            assert done.stderr.startswith("error: ")
            assert sentence in done.stderr
            assert "Traceback" not in done.stderr
