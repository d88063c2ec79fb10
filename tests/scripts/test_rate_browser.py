"""The rating page in headless Chromium: keyboard, layouts, a second tab, a server that goes away."""

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rating_study import SCRIPT, Server, serving, synthetic
from scoring.rating import served
from scoring.rating.answers import Answers

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rating") / "study"
    synthetic(path, per_agent=4)
    return path


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    raters = ["raters=[anna,ben,carl,dora,emil,frida," + json.dumps(SCRIPT) + "]"]
    with serving(folder, *raters) as running:
        yield running


@pytest.fixture
def page(browser: Any, server: Server) -> Iterator[Any]:
    """A page of 1280 px on which any console error, failed request, or request to elsewhere fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    faults: list[str] = []
    watch(opened, server, faults)
    opened.faults = faults
    yield opened
    assert faults == []
    context.close()


def watch(opened: Any, server: Server, faults: list[str]) -> None:
    own = f"http://127.0.0.1:{server.port}/"
    opened.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("request", lambda request: None if request.url.startswith(own) else faults.append(request.url))


def at(opened: Any, server: Server, rater: str, place: int) -> None:
    """Open a place in the rater's order and wait for its pictures."""
    opened.goto(f"http://127.0.0.1:{server.port}/#{rater}/{place}")
    at_place(opened, place)


def at_place(opened: Any, place: int) -> None:
    opened.wait_for_selector(f'#card[data-shown="{place}"]')


def stored(folder: Path, rater: str) -> dict[int, tuple[int, str, int]]:
    """Rating, words and revision by place in the rater's order, as they are in the file."""
    return {a.position: (a.rating, a.shows, a.revision) for a in Answers(folder / served.ANSWERS).of(rater).values()}


def test_a_rater_needs_no_mouse(page: Any, server: Server, folder: Path) -> None:
    page.goto(f"http://127.0.0.1:{server.port}/")
    page.get_by_role("button", name="anna").focus()
    page.keyboard.press("Enter")
    at_place(page, 1)
    assert page.is_visible("#guide")  # the first time
    page.keyboard.press("h")
    assert not page.is_visible("#guide")
    page.keyboard.press("Enter")
    assert "Rate it first" in page.inner_text("#message")
    page.keyboard.press("8")
    page.keyboard.press("Enter")
    assert "Say what it shows" in page.inner_text("#message")
    assert stored(folder, "anna") == {}
    page.keyboard.press("s")
    page.keyboard.press("Enter")
    at_place(page, 2)
    page.keyboard.press("y")
    page.keyboard.press("/")
    page.keyboard.type("left edge of a saw, 10 of 10")
    page.keyboard.press("Enter")
    at_place(page, 3)
    assert stored(folder, "anna") == {1: (8, "saw", 1), 2: (10, "left edge of a saw, 10 of 10", 1)}
    page.keyboard.press("ArrowLeft")
    at_place(page, 2)
    assert page.input_value("#words") == "left edge of a saw, 10 of 10"
    page.keyboard.press("0")  # a correction
    page.keyboard.press("n")
    assert page.input_value("#words") == ""
    page.keyboard.press("Enter")
    at_place(page, 3)
    assert stored(folder, "anna")[2] == (0, "nothing", 2)
    assert page.inner_text("#progress") == "anna: feature 3 of 12, 2 answered"


def test_a_reload_goes_on_where_the_rater_was(page: Any, server: Server, folder: Path) -> None:
    at(page, server, "ben", 7)
    page.keyboard.press("3")
    page.keyboard.press("l")
    page.keyboard.press("Enter")
    at_place(page, 8)
    page.reload()
    at_place(page, 8)
    assert page.inner_text("#progress") == "ben: feature 8 of 12, 1 answered"
    page.goto("about:blank")
    page.faults.clear()  # the blank page is not the server's
    page.goto(f"http://127.0.0.1:{server.port}/#ben")  # without a place: the first feature that is open
    at_place(page, 1)
    at(page, server, "ben", 7)
    assert page.is_checked("input[name=rating][value='3']")
    assert page.is_checked("input[name=shows][value=lava]")
    page.go_back()
    at_place(page, 1)
    assert stored(folder, "ben") == {7: (3, "lava", 1)}


def test_a_second_tab_shows_the_answer_that_is_kept(page: Any, server: Server, folder: Path) -> None:
    at(page, server, "carl", 4)
    second = page.context.new_page()
    at(second, server, "carl", 4)
    page.keyboard.press("6")
    page.keyboard.press("c")
    page.keyboard.press("Enter")
    at_place(page, 5)
    second.keyboard.press("1")
    second.keyboard.press("e")
    second.keyboard.press("Enter")
    second.wait_for_selector("#message.warning")
    assert "answered in another tab meanwhile" in second.inner_text("#message")
    assert second.is_checked("input[name=rating][value='6']")
    assert stored(folder, "carl") == {4: (6, "coin", 1)}
    second.keyboard.press("1")
    second.keyboard.press("Enter")
    at_place(second, 5)
    assert stored(folder, "carl") == {4: (1, "coin", 2)}


def test_the_pictures_are_the_files_pixels(page: Any, server: Server, folder: Path) -> None:
    at(page, server, "dora", 2)
    feature = server.get("/rater?name=dora")["order"][1]
    sheet = np.asarray(Image.open(served.picture(folder, feature, "strongest")))
    for over in (True, False):
        for column in range(4):
            canvas = f"document.querySelectorAll('#strongest canvas')[{column}]"
            png = page.evaluate(f"{canvas}.toDataURL()").partition(",")[2]
            pixels = np.asarray(Image.open(BytesIO(b64decode(png))).convert("RGB"))
            expected = sheet[64 * over : 64 * over + 64, 64 * column : 64 * column + 64]
            np.testing.assert_array_equal(pixels, expected)
        page.keyboard.press("o")
    assert page.is_checked("#overlay")
    page.locator("#strongest button").nth(1).click()
    assert page.is_visible("#enlarged")
    wide = page.locator("#enlarged canvas").first.bounding_box()["width"]
    assert wide >= 4 * 64
    page.keyboard.press("Escape")
    assert not page.is_visible("#enlarged")


@pytest.mark.parametrize("width", [1280, 390])
def test_layouts(page: Any, server: Server, width: int) -> None:
    """Nothing is wider than the screen; on a wide one the questions stand beside the pictures, on a phone below."""
    page.set_viewport_size({"width": width, "height": 844})
    at(page, server, "emil", 1)
    if page.is_visible("#guide"):
        page.click("#help")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    pictures, form = (page.locator(name).bounding_box() for name in ("#pictures", "#answer"))
    if width == 1280:
        assert form["x"] >= pictures["x"] + pictures["width"]
        assert page.locator("#strongest canvas").first.bounding_box()["width"] >= 3 * 64
        assert page.locator("#save").bounding_box()["y"] < 844  # in view without scrolling
    else:
        assert form["y"] >= pictures["y"] + pictures["height"]
        for choice in page.locator(".choice").all():
            box = choice.bounding_box()
            assert min(box["width"], box["height"]) >= 40  # for thumbs
        page.locator(".choice").nth(9).click()
        assert page.is_checked("input[name=rating][value='9']")


def test_names_and_words_are_text(page: Any, server: Server, folder: Path) -> None:
    page.goto(f"http://127.0.0.1:{server.port}/")
    page.get_by_role("button", name=SCRIPT, exact=True).click()
    at_place(page, 1)
    page.keyboard.press("5")
    page.fill("#words", SCRIPT)
    page.keyboard.press("Enter")
    at_place(page, 2)
    page.keyboard.press("ArrowLeft")
    at_place(page, 1)
    assert page.input_value("#words") == SCRIPT
    assert page.inner_text("#progress").startswith(SCRIPT)
    assert page.title() == "Rating features"
    assert page.evaluate("document.querySelectorAll('body script').length") == 0
    assert stored(folder, SCRIPT) == {1: (5, SCRIPT, 1)}


def test_a_page_from_elsewhere_cannot_answer(browser: Any, server: Server, folder: Path, tmp_path: Path) -> None:
    """A page of another origin, in a real browser, that even knows the token: in every way that it can send."""
    token = server.get("/study")["token"]
    sent = {"token": token, "rater": "frida", "feature": 0, "rating": 1, "shows": "nothing", "seen": 0}
    elsewhere = tmp_path / "elsewhere.html"
    elsewhere.write_text(
        f"<form method=post enctype=text/plain action='http://127.0.0.1:{server.port}/answers'>"
        f"<input name='{json.dumps(sent)[:-1]}, \"x\":\"' value='\"}}'></form>"
    )
    context = browser.new_context()
    page = context.new_page()
    page.goto(elsewhere.as_uri())
    target = f"http://127.0.0.1:{server.port}/answers"
    for kind in ("application/json", "text/plain"):
        for mode in ("cors", "no-cors"):
            page.evaluate(
                "([url, body, type, mode]) => fetch(url, {method: 'POST', mode, body, headers: {'Content-Type': type}})"
                ".then(() => 0, () => 1)",
                [target, json.dumps(sent), kind, mode],
            )
    with page.expect_navigation():
        page.evaluate("document.forms[0].submit()")
    assert "own page only" in page.inner_text("body")
    assert stored(folder, "frida") == {}
    context.close()


def test_nothing_is_lost_when_the_server_goes_away(browser: Any, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    synthetic(folder, per_agent=1)
    with serving(folder, "raters=[anna]") as server:
        context = browser.new_context()
        page = context.new_page()
        at(page, server, "anna", 1)
        page.keyboard.press("h")
        page.keyboard.press("4")
        page.keyboard.press("t")
        server.kill()
        page.keyboard.press("Enter")
        page.wait_for_selector("#message.warning")
        assert "save again when it is back" in page.inner_text("#message")
    with serving(folder, f"port={server.port}") as again:
        assert again.port == server.port
        page.keyboard.press("Enter")
        at_place(page, 2)
        for place in (2, 3):
            page.keyboard.press("4")
            page.keyboard.press("t")
            page.keyboard.press("Enter")
            at_place(page, min(place + 1, 3))
        page.get_by_text("Thank you").wait_for()
        assert re.search("All 3 features are answered", page.inner_text("#message"))
        context.close()
    assert stored(folder, "anna") == dict.fromkeys((1, 2, 3), (4, "top", 1))


def test_a_study_of_version_1_is_rated_as_it_was(browser: Any, tmp_path: Path) -> None:
    """With its own kinds of things, and an answer that was given before."""
    folder = tmp_path / "study"
    made = synthetic(folder, per_agent=1, version=1)
    answers = Answers(folder / served.ANSWERS)
    answers.add_raters(["anna"])
    answers.record("anna", made.served.order("anna")[0], 1, 6, "wall", 0)
    with serving(folder) as server:
        context = browser.new_context()
        page = context.new_page()
        at(page, server, "anna", 1)
        assert page.is_checked("input[name=shows][value=wall]")
        words = page.locator("#choices .choice span").evaluate_all("all => all.map(s => s.lastChild.textContent)")
        assert "edge of the ground" in words
        assert "platform top" not in words
        at(page, server, "anna", 2)
        page.keyboard.press("9")
        page.keyboard.press("g")
        page.keyboard.press("Enter")
        at_place(page, 3)
        context.close()
    assert stored(folder, "anna") == {1: (6, "wall", 1), 2: (9, "surface", 1)}
