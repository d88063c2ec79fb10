"""A study of pictures made from a seed, and the rating server as a process, for the tests of the rating page."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, RemoteDisconnected
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rollouts.coinrun.table import COINRUN
from scoring.rating import served, study
from scoring.rating.settings import RatingConfig
from scoring.rating.study import RatedAgent, RatedFeature, Study

ROOT = Path(__file__).parents[2]
NAMES = ("clear-hard-n77777-s0-5eed5eed", "clear-hard-n300-s9-0ddba115", "untrained-clear-s123")
FINGERPRINTS = ("5eed" * 16, "0ddba115" * 8, "c0ffee12" * 8)
SCRIPT = "<script>document.title='broken in'</script>"


def sheets(features: int) -> list[dict[str, bytes]]:
    """Pictures of the right sizes: four frames a sheet, above plain noise, below the same in one colour."""
    generator = np.random.default_rng(0)
    made = []
    for _ in range(features):
        pictures = {}
        for name in served.SHEETS:
            shape = (128, 128, 3) if name == "places" else (128, 256, 3)
            pixels = generator.integers(0, 256, shape, dtype=np.uint8)
            if name != "places":
                pixels[64:] = generator.integers(0, 256, 3, dtype=np.uint8)
            file = BytesIO()
            Image.fromarray(pixels).save(file, "PNG")
            pictures[name] = file.getvalue()
        made.append(pictures)
    return made


def synthetic(folder: Path, per_agent: int = 8, checkpoints: tuple[str, ...] = ("", "", ""), version: int = 2) -> Study:
    """A study of three agents: feature k of agent a is interpretable where k < 2 a + 1, its grade (k + a) / 20."""
    wall = {1: "surface", 2: "top"}[version]
    agents = [
        RatedAgent(name, checkpoint, weights, (2 * a + 1) / 8, 0.2 + 0.1 * a)
        for a, (name, checkpoint, weights) in enumerate(zip(NAMES, checkpoints, FINGERPRINTS, strict=True))
    ]
    features = [
        RatedFeature(a, k, ("coin", "saw", "enemy", wall)[k % 4], k < 2 * a + 1, (k + a) / 20)
        for a in range(len(agents))
        for k in range(per_agent)
    ]
    made, _ = study.make_study(COINRUN, RatingConfig(layer="2b", version=version), agents, features)
    study.save(folder, made, sheets(len(features)))
    return made


@dataclass
class Server:
    """The command as a process that serves a study."""

    process: subprocess.Popen[str]
    port: int

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of a request to the server itself, whatever its headers say."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read()
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        status, _, body = self.ask("GET", path)
        assert status == 200, body
        return json.loads(body)

    def answer(self, sent: dict[str, Any], **headers: str) -> tuple[int, dict[str, Any]]:
        """Send an answer as the page does; given headers take the place of the page's."""
        page = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{self.port}"}
        status, _, body = self.ask("POST", "/answers", json.dumps(sent), **{**page, **headers})
        return status, json.loads(body)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`scripts/rate.py` to its end."""
    command = [sys.executable, str(ROOT / "scripts/rate.py"), *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=200, check=False)


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[Server]:
    """`scripts/rate.py study=FOLDER` on a free port, ended by Ctrl+C where it was not killed."""
    command = [sys.executable, str(ROOT / "scripts/rate.py"), f"study={folder}", "port=0", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=folder.parent
    ) as process:
        assert process.stdout is not None
        try:
            said = ""
            for line in process.stdout:
                said += line
                if address := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
                    yield Server(process, int(address[1]))
                    break
            else:
                raise AssertionError(said)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(timeout=30)


GONE = (ConnectionError, RemoteDisconnected)
"""What a request raises when the server was killed."""
