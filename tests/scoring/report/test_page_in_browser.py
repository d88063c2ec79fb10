"""The report's page in a real browser, from disk: what every control does, and pixels against the arrays."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.checkpoint import Agent, untrained_agent
from rollouts.bank import FrameBank
from rollouts.coinrun.table import COINRUN
from rollouts.env import EnvOptions
from scoring.draw.words import with_interval
from scoring.evidence import Evidence
from scoring.explain.geometry import cell_of_pixel
from scoring.explain.methods import attribute
from scoring.pipeline import Score, score_subject
from scoring.report.build import write_report
from scoring.report.cards import shown_features
from scoring.report.clips import Clip, trajectory
from scoring.report.views import Explained, act, explained, surprising, target_of
from scoring.settings import ScoreConfig
from scoring.subject import explain

pytestmark = pytest.mark.browser
NAMES = ('odd<script>alert(1)<img src=x onerror="alert(2)">', "other '&amp; agent")
CONFIG = ScoreConfig(steps=4, components=4, refits=0, bootstrap=50, permutations=50)


@dataclass(frozen=True)
class Made:
    """A report on disk, and what it was made of, computed once more."""

    folder: Path
    agents: list[tuple[str, Agent]]
    scores: dict[str, Score]
    played: FrameBank
    clip: Clip

    def explained(self, number: int, target: str = "value") -> Explained:
        name, agent = self.agents[number]
        found = attribute(agent.network, "2b", self.clip.frames, target_of(agent, target), steps=CONFIG.steps)
        return explained(self.scores[name].basis, shown_features(self.scores[name]), found)


@pytest.fixture(scope="module")
def made(bank: FrameBank, evidence: Evidence, consecutive: FrameBank, tmp_path_factory: pytest.TempPathFactory) -> Made:
    agents = [(name, untrained_agent("compact", EnvOptions(), seed)) for seed, name in enumerate(NAMES)]
    agents[0][1].training["reward_scale"] = 1.0
    scores = {}
    for name, agent in agents:
        subject = explain(agent.network, "2b", bank, evidence, steps=CONFIG.steps)
        scores[name] = score_subject(agent, subject, CONFIG)
    folder = tmp_path_factory.mktemp("report")
    path = write_report(folder, agents, scores, consecutive, ("value", "right"), {"settings": {}})
    assert path == folder / "index.html"
    return Made(folder, agents, scores, consecutive, trajectory(consecutive))


Open = Callable[..., Any]


@pytest.fixture
def visit(browser: Any, made: Made) -> Iterator[Open]:
    """Open the report; at the end no console error, no failed or foreign request, may have been seen."""
    seen: list[str] = []
    pages = []

    def foreign(url: str) -> None:
        if not url.startswith(("file:", "data:")):
            seen.append(url)

    def visit(hash: str = "", width: int = 1280, before: str = "", ready: str = "all") -> Any:
        page = browser.new_page(viewport={"width": width, "height": 900})
        pages.append(page)
        page.on("console", lambda message: seen.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: seen.append(str(error)))
        page.on("dialog", lambda dialog: seen.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: foreign(request.url))
        page.on("requestfailed", lambda request: seen.append(f"failed: {request.url}"))
        if before:
            page.add_init_script(before)
        page.goto(made.folder.as_uri() + "/index.html" + hash)
        if ready:
            page.wait_for_selector(f"html[data-ready={ready}]", timeout=20_000)
        return page

    yield visit
    for page in pages:
        page.close()
    assert seen == []


def pixels(page: Any, selector: str) -> NDArray[np.uint8]:
    """A canvas (64, 64, 3) as it is."""
    script = "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
    data = np.array(page.locator(selector).first.evaluate(script), dtype=np.uint8).reshape(64, 64, 4)
    assert (data[..., 3] == 255).all()
    return data[..., :3]


def picture(agent: int, shown: str = "both") -> str:
    return f'.panel[data-agent="{agent}"] figure[data-shown="{shown}"] .pixels'


def state(page: Any) -> dict[str, Any]:
    return dict(page.evaluate("Report.state"))


def settled(page: Any) -> str:
    """The address, after the page had time to write it."""
    page.wait_for_timeout(250)
    return str(page.url.partition("#")[2])


POSITIVE, NEGATIVE = np.array([213, 94, 0]), np.array([0, 114, 178])
COLOURS = np.array([[230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66], [153, 153, 153]])


@dataclass(frozen=True)
class Overlay:
    """A picture (64, 64, 3) worked out with arrays; how far rounded attribution may lead from it, and where it says
    nothing, because the sign of the sum is lost.
    """

    picture: NDArray[np.floating[Any]]
    tolerance: float
    unsure: NDArray[np.bool_]


def expected(
    made: Made, number: int, frame: int, chosen: list[int], shown: str = "both", by: str = "sign", target: str = "value"
) -> Overlay:
    """The overlay from attribution that was never rounded."""
    found = made.explained(number, target)
    cells = cell_of_pixel(made.scores[NAMES[number]].geometry)
    covered = (cells[:, None] >= 0) & (cells[None, :] >= 0)
    maps = found.maps[frame, chosen][:, cells[:, None], cells[None, :]] * covered
    maps = {"both": maps, "positive": np.maximum(maps, 0), "negative": np.minimum(maps, 0)}[shown]
    net, total = maps.sum(axis=0), np.abs(maps).sum(axis=0)
    opacity = np.minimum((total if by == "feature" else np.abs(net)) / found.scale, 1)
    odd = np.indices((64, 64)).sum(axis=0) % 2 == 1
    opacity = np.where((net < 0) & odd, 0.4 * opacity, opacity)[..., None]
    if by == "feature":
        mixed = np.einsum("khw,kc->hwc", np.abs(maps), COLOURS[chosen])
        colour = mixed / np.maximum(total, 1e-12)[..., None]
    else:
        colour = np.where(net[..., None] > 0, POSITIVE, NEGATIVE)
    grey = 0.75 * (made.clip.frames[frame] @ np.array([0.299, 0.587, 0.114]))[..., None]
    rounding = np.abs(found.maps[frame, chosen]).max(axis=(1, 2)).sum() / 254  # half a step of 127, all features
    unsure = (np.abs(net) <= rounding) & (total > rounding) & (by == "feature")
    return Overlay(grey * (1 - opacity) + colour * opacity, 2 * 255 * rounding / found.scale + 1, unsure)


def assert_close(found: NDArray[np.uint8], wanted: Overlay) -> None:
    """No pixel further away than rounding explains, and most of them much nearer."""
    difference = np.abs(found.astype(float) - wanted.picture)[~wanted.unsure]
    assert wanted.tolerance < 12
    assert wanted.unsure.mean() < 0.1
    assert difference.max() <= wanted.tolerance
    assert difference.mean() <= 1


def test_it_opens_from_disk_in_time_and_shows_names_as_text(visit: Open, made: Made) -> None:
    page = visit()
    took = []
    for _ in range(3):  # another program may slow one of them down
        page.reload()
        page.wait_for_selector("html[data-ready=all]")
        took.append(float(re.findall(r"[\d.]+", page.locator("#loaded").inner_text())[0]))
    assert min(took) < 2
    size = sum(path.stat().st_size for path in made.folder.rglob("*") if path.is_file())
    assert size < 30e6
    assert page.locator("h1").inner_text() == " and ".join(NAMES)
    assert [text.strip() for text in page.locator(".panel h3").all_inner_texts()] == list(NAMES)
    assert page.locator("img").count() == 0
    assert "<script>alert" not in (made.folder / "index.html").read_text()
    assert page.locator("#notice").is_hidden()
    anchors = page.locator("main a[href^='#']").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    assert "#fraction" in anchors
    assert all(page.locator(anchor).count() == 1 for anchor in set(anchors))


def test_the_overview_needs_no_script(browser: Any, made: Made) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((made.folder / "index.html").as_uri())
    headline = made.scores[NAMES[0]].record.headline.graded_score
    assert with_interval(headline) in page.locator(".numbers").inner_text()
    assert "need JavaScript" in page.locator("noscript").inner_text()
    context.close()


@pytest.mark.parametrize("number", [0, 1])
def test_the_overlay_is_the_attribution(visit: Open, made: Made, number: int) -> None:
    page = visit("#frame=7")
    every = [0, 1, 2, 3]
    assert_close(pixels(page, picture(number)), expected(made, number, 7, every))
    page.check("#switch-residual")
    assert_close(pixels(page, picture(number)), expected(made, number, 7, [*every, 4]))
    page.uncheck("#switch-residual")
    page.select_option("#by", "feature")
    assert_close(pixels(page, picture(number)), expected(made, number, 7, every, by="feature"))
    page.check("#switch-apart")
    for shown in ("positive", "negative"):
        assert_close(pixels(page, picture(number, shown)), expected(made, number, 7, every, shown, by="feature"))
    assert page.locator(picture(number)).is_hidden()
    page.uncheck("#switch-apart")
    page.select_option("#by", "sign")
    page.select_option("#target", "right")
    page.wait_for_function("Report.current.agents[0].explained !== Report.current.agents[0].value")
    assert_close(pixels(page, picture(number)), expected(made, number, 7, every, target="right"))
    page.uncheck("#switch-overlay")
    assert (pixels(page, picture(number)) == made.clip.frames[7]).all()


def test_bars_policy_and_value_are_the_arrays(visit: Open, made: Made) -> None:
    page = visit("#frame=30&residual=1")
    for number, (_, agent) in enumerate(made.agents):
        panel = page.locator(f'.panel[data-agent="{number}"]')
        found = made.explained(number)
        values, policy = act(agent, made.clip.frames[30:31])
        shown = [float(text.replace("−", "-")) for text in panel.locator(".bar .value").all_inner_texts()]
        assert shown == pytest.approx(found.sums[30], abs=0.0051)
        widths = panel.locator(".bar .fill").evaluate_all("all => all.map(b => parseFloat(b.style.width))")
        assert widths == pytest.approx(50 * np.minimum(np.abs(found.sums[30]) / found.axis, 1), abs=0.1)
        signs = panel.locator(".bar .fill").evaluate_all("all => all.map(b => b.classList.contains('negative'))")
        assert signs == (found.sums[30] < 0).tolist()
        heights = panel.locator(".column .fill").evaluate_all("all => all.map(b => parseFloat(b.style.height))")
        assert heights == pytest.approx(100 * policy[0], abs=0.01)
        assert f"value {values[0]:.2f}".replace("-", "−") in panel.locator(".readout").inner_text()
        taken = panel.locator(".column.taken").get_attribute("data-effect")
        assert int(made.played.actions[30]) in COINRUN.moves[str(taken)]


def test_frames_are_reached_by_keys_buttons_and_scrubber(visit: Open, made: Made) -> None:
    page = visit("#overlay=0")
    episode = made.clip.episode
    starts = [0, *(np.flatnonzero(np.diff(episode)) + 1)]
    assert len(starts) > 2

    def at(frame: int) -> None:
        assert state(page)["frame"] == frame
        assert page.locator("#scrubber").input_value() == str(frame)
        assert page.locator("#where").inner_text().startswith(f"frame {frame} of {len(episode)}, episode ")
        assert (pixels(page, picture(0)) == made.clip.frames[frame]).all()

    at(0)
    page.keyboard.press("ArrowLeft")
    at(0)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    at(2)
    page.click("#previous")
    at(1)
    page.keyboard.press("Shift+ArrowRight")
    at(starts[1])
    page.click("#next-episode")
    at(starts[2])
    page.click("#next")
    page.click("#previous-episode")
    at(starts[2])
    page.keyboard.press("Shift+ArrowLeft")
    at(starts[1])
    page.locator("#scrubber").fill("77")
    at(77)
    box = page.locator("#lines").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 60.5 / len(episode), box["y"] + 20)
    at(60)


def test_playing_pausing_and_speed(visit: Open) -> None:
    page = visit()
    page.clock.install(time=0)
    page.clock.pause_at(3600)  # the page's timers go by this clock alone, however busy the machine is
    page.select_option("#speed", "24")
    page.locator("h1").click()
    page.keyboard.press("Space")
    page.clock.run_for(1010)
    page.keyboard.press("Space")
    fast = state(page)["frame"]
    assert 23 <= fast <= 25
    page.clock.run_for(1000)
    assert state(page)["frame"] == fast
    assert page.url.endswith(f"#frame={fast}")
    page.select_option("#speed", "4")
    page.click("#play")
    assert page.locator("#play").inner_text() == "Pause"
    page.clock.run_for(1010)
    page.click("#play")
    assert state(page)["frame"] == fast + 4
    page.clock.run_for(200)
    page.keyboard.press("Space")  # the button has the focus, and is pressed once
    assert page.locator("#play").inner_text() == "Pause"
    page.clock.run_for(60_000)
    assert state(page)["frame"] == 79
    assert page.locator("#play").inner_text() == "Play"


def test_the_most_surprising_frames_are_a_click_away(visit: Open, made: Made) -> None:
    page = visit()
    values, _ = act(made.agents[0][1], made.clip.frames)
    running, advantages = 0.0, np.full(len(values), np.nan)
    for t in reversed(range(len(values) - 1)):
        going_on = made.clip.episode[t + 1] == made.clip.episode[t]
        running = made.played.rewards[t] + going_on * (0.999 * values[t + 1] + 0.999 * 0.95 * running) - values[t]
        advantages[t] = running
    worst, best = surprising(advantages)
    shown = page.locator("#surprises .jump").evaluate_all("all => all.map(b => Number(b.dataset.frame))")
    assert shown == [*best, *worst]
    text = page.locator("#viewer").inner_text()
    assert "rewards times 1, the scale on which its values were learnt." in text
    assert "it was never trained, and its values are on no scale" in text
    assert best[0] == np.nanargmax(advantages)
    page.locator("#surprises .jump").nth(len(best)).click()
    assert state(page)["frame"] == np.nanargmin(advantages)


def test_a_feature_is_isolated_everywhere_while_the_pointer_is_on_it(visit: Open, made: Made) -> None:
    page = visit("#frame=7")
    bars = '.panel[data-agent="0"] .bar'
    page.locator(bars).nth(2).hover()
    assert_close(pixels(page, picture(0)), expected(made, 0, 7, [2]))
    assert_close(pixels(page, picture(1)), expected(made, 1, 7, [0, 1, 2, 3]))
    for place in (bars, "#cards .card"):
        faded = page.locator(place).evaluate_all("all => all.map(e => e.classList.contains('faded'))")
        assert faded[:4] == [True, True, False, True]
    page.mouse.move(5, 5)
    assert page.locator(".faded").count() == 0
    page.keyboard.press("4")
    assert_close(pixels(page, picture(0)), expected(made, 0, 7, [3]))
    assert settled(page) == "frame=7&feature=4"
    page.keyboard.press("4")
    assert state(page)["feature"] == 0
    page.keyboard.press("a")
    page.keyboard.press("1")
    assert_close(pixels(page, picture(1)), expected(made, 1, 7, [0]))
    page.keyboard.press("Escape")
    assert_close(pixels(page, picture(1)), expected(made, 1, 7, [0, 1, 2, 3]))
    page.locator("#cards .card header").first.hover()
    assert_close(pixels(page, picture(1)), expected(made, 1, 7, [0]))


def test_the_address_holds_what_is_looked_at(visit: Open) -> None:
    wanted = "frame=12&agent=1&feature=2&target=right&masks=0&residual=1&apart=1&by=feature&beside=0"
    page = visit("#" + wanted)
    assert settled(page) == wanted
    assert page.locator("#target").input_value() == "right"
    assert page.locator("#switch-apart").is_checked()
    assert not page.locator("#switch-masks").is_checked()
    assert page.locator('.panel[data-agent="0"]').is_hidden()
    for key, name in (("o", "overlay"), ("m", "masks"), ("r", "residual"), ("s", "apart"), ("b", "beside")):
        before = state(page)[name]
        page.keyboard.press(key)
        assert state(page)[name] == 1 - before
    page.locator("#switch-masks").focus()
    page.keyboard.press("Space")  # what has the focus keeps its own keys
    assert (state(page)["masks"], page.evaluate("Report.playing")) == (0, None)
    page.keyboard.press("Space")
    page.keyboard.press("c")
    page.keyboard.press("ArrowRight")
    assert settled(page) == "frame=13&agent=1&feature=2&target=right&overlay=0"
    page.reload()
    page.wait_for_selector("html[data-ready=all]")
    assert (state(page)["frame"], state(page)["feature"], state(page)["overlay"]) == (13, 2, 0)
    page.evaluate("location.hash = '#frame=3'")
    page.wait_for_function("Report.state.frame === 3")
    page.evaluate("location.hash = '#definitions'")
    assert state(page)["frame"] == 3
    odd = visit("#frame=99999&agent=7&feature=x&target=nothing&clip=<b>&by=1&drop=400")
    found = state(odd)
    assert (found["frame"], found["agent"], found["feature"]) == (79, 1, 0)
    assert (found["target"], found["clip"], found["by"]) == ("value", "trajectory", "sign")


def test_a_clicked_object_is_taken_out(visit: Open, made: Made) -> None:
    clip = made.clip
    kinds = [clip.kinds[i][item] for i, item in zip(clip.index, clip.item, strict=True)]
    rows = [m for m, kind in enumerate(kinds) if kind != "agent"]
    row = max(rows, key=lambda m: int(((clip.labels[clip.index[m]] & 127) == clip.item[m] + 1).sum()))
    frame, item = int(clip.index[row]), int(clip.item[row]) + 1
    y, x = np.argwhere((clip.labels[frame] & 127) == item)[0]
    page = visit(f"#frame={frame}")
    canvas = page.locator('.panel[data-agent="0"] figure[data-shown="both"] .frame')
    side = canvas.bounding_box()["width"]
    assert side >= 4 * 64
    spot = {"x": (x + 0.5) * side / 64, "y": (y + 0.5) * side / 64}
    canvas.click(position=spot)
    assert state(page)["drop"] == item
    assert settled(page) == f"frame={frame}&drop={item}"
    assert (pixels(page, "#whatif-result .pixels >> nth=0") == clip.frames[frame]).all()
    assert (pixels(page, "#whatif-result .pixels >> nth=1") == clip.removed[row]).all()
    for number, (name, agent) in enumerate(made.agents):
        pair = np.stack([clip.frames[frame], clip.removed[row]])
        values, policy = act(agent, pair)
        part = page.locator(f'#whatif-result .changes[data-agent="{number}"]')
        text = part.locator(".difference").inner_text().replace("−", "-")
        shown = [float(number) for number in re.findall(r"-?\d+\.\d+", text)]
        assert shown == pytest.approx([*values, values[1] - values[0]], abs=0.0051)
        score = made.scores[name]
        found = explained(score.basis, shown_features(score), attribute(agent.network, "2b", pair, steps=CONFIG.steps))
        changes = [float(text.replace("−", "-")) for text in part.locator(".bar .value").all_inner_texts()]
        assert changes == pytest.approx(found.sums[1] - found.sums[0], abs=0.0051)
        cells = part.locator('tr[data-effect="right"] td').all_inner_texts()
        right = list(COINRUN.moves).index("right")
        assert cells[:2] == [f"{100 * policy[0, right]:.0f}%", f"{100 * policy[1, right]:.0f}%"]
    canvas.click(position=spot)
    assert state(page)["drop"] == 0
    assert page.locator("#whatif-result").inner_html() == ""
    page.locator(f'.item[data-item="{item}"]').click()
    assert state(page)["drop"] == item
    page.keyboard.press("ArrowRight")
    assert state(page)["drop"] == 0


def test_outlines_follow_the_masks(visit: Open, made: Made) -> None:
    frame = 20
    page = visit(f"#frame={frame}")
    # opacity on the left side and in the middle of each of the frame's pixels
    script = """c => {
      const { data } = c.getContext('2d').getImageData(0, 0, 512, 512);
      const at = (y, x) => data[(y * 512 + x) * 4 + 3];
      const every = [...Array(4096).keys()].map(i => [Math.floor(i / 64) * 8 + 4, (i % 64) * 8]);
      return every.map(([y, x]) => [at(y, x), at(y, x + 4)]);
    }"""
    lines = page.locator('.panel[data-agent="0"] figure[data-shown="both"] .outlines')
    left, middle = np.moveaxis(np.array(lines.evaluate(script)).reshape(64, 64, 2), -1, 0)
    agent = (made.clip.labels[frame] & 127) == made.clip.kinds[frame].index("agent") + 1
    edge = agent & ~np.roll(agent, 1, axis=1)
    assert (left[edge] > 100).all()
    assert (middle == 0).mean() > 0.8  # lines run between pixels; only names lie over them
    page.uncheck("#switch-masks")
    assert not np.any(lines.evaluate(script))


def test_a_features_concept_is_outlined_while_the_feature_is_alone(
    visit: Open, made: Made, bank: FrameBank, evidence: Evidence
) -> None:
    page = visit()
    kinds = page.evaluate("Report.meta.agents[1].features.map(f => f.kind)")
    assert "top" in kinds  # else another seed must be looked at
    feature = kinds.index("top") + 1
    tops = evidence.masks[:, COINRUN.widest.index("top")]
    frame = int(tops.sum(axis=(1, 2)).argmax())
    colour = [255, 255, 255]
    # the line on the left side of each of the frame's pixels
    script = """c => {
      const { data } = c.getContext('2d').getImageData(0, 0, 512, 512);
      const every = [...Array(4096).keys()].map(i => [Math.floor(i / 64) * 8 + 4, (i % 64) * 8]);
      return every.map(([y, x]) => [...data.slice((y * 512 + x) * 4, (y * 512 + x) * 4 + 3)]);
    }"""
    lines = page.locator('.panel[data-agent="1"] figure[data-shown="both"] .outlines')

    def drawn(hash: str) -> NDArray[np.bool_]:
        page.evaluate(f"location.hash = '{hash}'")
        page.wait_for_function(f"Report.state.frame === {frame} && Report.current.clip.consecutive === false")
        page.wait_for_timeout(100)
        return (np.array(lines.evaluate(script)).reshape(64, 64, 3) == colour).all(axis=-1)

    alone = drawn(f"#clip=examples&frame={frame}&agent=1&feature={feature}")
    edge = tops[frame] & ~np.roll(tops[frame], 1, axis=1)
    edge[:, 0] = False  # half of a line at the border is outside of the picture
    assert edge.any()
    assert alone[edge].mean() > 0.8  # captions lie over some of it
    together = drawn(f"#clip=examples&frame={frame}&agent=1")
    assert together[edge].mean() < 0.5


def test_cards_lead_to_their_frames(visit: Open, made: Made, bank: FrameBank) -> None:
    page = visit()
    meta = page.evaluate("Report.meta.agents[0].features")
    found = made.scores[NAMES[0]]
    assert [feature["row"] for feature in meta] == shown_features(found)
    titles = page.locator("#cards .card h3").all_inner_texts()
    assert titles == [feature["title"] for feature in meta]
    card = page.locator("#cards .card").nth(1)
    assert card.locator(".thumb").count() == len(meta[1]["top"])
    card.locator(".thumb").nth(2).click()
    page.wait_for_function("Report.state.clip === 'examples' && Report.current.clip.consecutive === false")
    assert (state(page)["frame"], state(page)["feature"]) == (meta[1]["top"][2], 2)
    assert "environment" in page.locator("#where").inner_text()
    page.keyboard.press("Escape")
    page.uncheck("#switch-overlay")
    assert (pixels(page, picture(0)) == bank.frames[meta[1]["top"][2]]).all()
    grid = card.locator(".grid")
    side = grid.bounding_box()["width"]
    grid.click(position={"x": side * 5.5 / 8, "y": side * 2.5 / 8})
    wanted = meta[1]["grid"][2][5]
    page.wait_for_function(f"Report.state.frame === {wanted}")
    drawn = pixels(page, "#cards .card >> nth=1 >> .grid")
    strength = np.array(meta[1]["gridActivation"])
    for row, column in np.argwhere(strength >= 0.9 * strength.max()):
        block = np.s_[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        assert (drawn[block] == bank.frames[meta[1]["grid"][row][column]][block]).all()
    page.keyboard.press("a")
    page.wait_for_function("document.getElementById('cards-of').textContent !== Report.meta.agents[0].name")
    assert page.locator("#cards-of").inner_text() == NAMES[1]


def test_a_phone_shows_everything_without_scrolling_sideways(visit: Open) -> None:
    page = visit("#apart=1", width=390)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for shown in ("positive", "negative"):
        assert page.locator(picture(0, shown)).bounding_box()["width"] >= 4 * 64
    first, second = (page.locator(f'.panel[data-agent="{n}"]').bounding_box() for n in (0, 1))
    assert second["y"] >= first["y"] + first["height"]
    wide = visit("#apart=1")
    assert wide.evaluate("document.documentElement.scrollWidth") == 1280
    assert wide.locator(picture(1, "negative")).bounding_box()["width"] >= 4 * 64


def test_it_says_what_the_browser_forbids_and_goes_on(visit: Open) -> None:
    page = visit(before="history.replaceState = () => { throw new DOMException('no', 'SecurityError'); };")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#notice:not([hidden])")
    assert "cannot be shared" in page.locator("#notice").inner_text()
    assert state(page)["frame"] == 1
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    page.click("#share")
    page.wait_for_function("document.getElementById('notice').textContent.includes('clipboard')")
    old = visit(before="delete window.DecompressionStream;", ready="")
    old.wait_for_selector("#notice:not([hidden])")
    assert "cannot unpack the report's data" in old.locator("#notice").inner_text()
    assert "graded score" in old.locator(".numbers").inner_text()


def test_a_missing_file_is_named(browser: Any, made: Made, tmp_path: Path) -> None:
    copy = shutil.copytree(made.folder, tmp_path / "report")
    (copy / "data" / "trajectory-1-value.js").unlink()
    page = browser.new_page()
    page.goto((copy / "index.html").as_uri())
    page.wait_for_selector("#notice:not([hidden])")
    assert "data/trajectory-1-value.js is missing" in page.locator("#notice").inner_text()
    page.close()
    marker = json.loads((copy / "report.json").read_text())
    assert marker["finished"] is True
