"""What the report's page is made of: items and changed frames, views, cards, the static part, and the folder."""

import base64
import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.checkpoint import Agent, untrained_agent
from agents.play import Player
from rollouts.bank import FrameBank
from rollouts.coinrun.masks import CoinRunRenderer, without
from rollouts.coinrun.state import ENEMY, TRAIL, parse
from rollouts.coinrun.table import COINRUN
from rollouts.collecting import BankPlan, collect
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from scenes import empty_scene, put
from scoring.draw.examples import GRID, REUSE, example_grid
from scoring.evidence import Evidence
from scoring.explain.methods import attribute
from scoring.features.channels import Channels
from scoring.metrics.energies import Energies
from scoring.metrics.statistics import Number
from scoring.pipeline import score_subject
from scoring.report.cards import MOST, cards, lift_limits, shown_features
from scoring.report.clips import PART_BIT, examples, items, trajectory
from scoring.report.data import clip_data, explained_data, plain
from scoring.report.film import SCALE, STRIP, pictures, write
from scoring.report.overview import HEIGHT, WIDTH, cell, curves, rows, sentence
from scoring.report.page import FORMAT, check_folder
from scoring.report.views import Explained, act, advantage, explained, surprising, target_of, view
from scoring.settings import ScoreConfig
from scoring.subject import explain


@pytest.fixture(scope="module")
def agent() -> Agent:
    return untrained_agent("compact", EnvOptions(), seed=0)


@pytest.fixture(scope="module")
def played(agent: Agent) -> FrameBank:
    plan = BankPlan("trajectory", 1, 40, 1, consecutive=False, pool_frames=0)
    return collect([("random", Player(agent, 0))], EnvOptions().unseen(), plan, seed=3)


def test_a_trail_goes_with_the_nearest_enemy() -> None:
    scene = empty_scene()
    left, right = put(scene, ENEMY, 30, 33), put(scene, ENEMY, 35, 33)
    trails = [put(scene, TRAIL, 29, 33), put(scene, TRAIL, 35.9, 33), put(scene, TRAIL, 33.5, 33)]
    renderer = CoinRunRenderer()
    found = items(COINRUN, scene, renderer.masks(scene).objects)
    places = [{thing.place for thing in item.things} for item in found if item.kind == "enemy"]
    assert sorted(map(sorted, places)) == [[left, trails[0]], [right, trails[1], trails[2]]]
    scene.entities["alpha"][[left, right]] = 0
    alone = [item for item in items(COINRUN, scene, renderer.masks(scene).objects) if item.kind == "enemy"]
    assert [{thing.place for thing in item.things} for item in alone] == [set(trails)]


def test_a_trajectory_shows_every_object_and_the_frame_without_it(played: FrameBank) -> None:
    clip = trajectory(played)
    renderer = CoinRunRenderer()
    assert len(clip.removed) > len(clip)
    assert (np.diff(clip.index) >= 0).all()
    for i in range(0, len(clip), 7):
        state = parse(played.states[i])
        drawn, names = renderer.masks(state).drawn, COINRUN.drawn
        merged = [names.index("enemy") if name == "trail" else names.index(name) for name in names]
        for c, name in enumerate(names):
            if name != "trail":
                wanted = drawn[[k for k, to in enumerate(merged) if to == c]].any(axis=0)
                numbers = [n for n, kind in enumerate(clip.kinds[i], start=1) if kind == name]
                assert (np.isin(clip.labels[i] & ~np.uint8(PART_BIT), numbers) == wanted).all()
    for m in range(0, len(clip.removed), 5):
        i, number = int(clip.index[m]), int(clip.item[m]) + 1
        changed = (clip.removed[m] != clip.frames[i]).any(axis=-1)
        assert changed.any()
        assert not (changed & ((clip.labels[i] & 127) != number)).any()  # nothing changes but the object's own pixels
        state = parse(played.states[i])
        things = items(COINRUN, state, renderer.masks(state).objects)[number - 1].things
        assert (renderer.render(without(state, things)) == clip.removed[m]).all()


def test_examples_take_out_whole_classes(bank: FrameBank, evidence: Evidence) -> None:
    clip = examples(bank, evidence)
    for c, name in enumerate(COINRUN.names):
        for i in range(len(clip)):
            labels = clip.labels[i]
            if name == "surface":
                assert ((labels >= PART_BIT) == evidence.masks[i, c]).all()
            elif name in clip.kinds[i]:
                assert ((labels & 127 == clip.kinds[i].index(name) + 1) == evidence.masks[i, c]).all()
            else:
                assert not evidence.masks[i, c].any()
    coins = evidence.removed["coin"]
    rows_of_coins = [m for m in range(len(clip.removed)) if clip.kinds[clip.index[m]][clip.item[m]] == "coin"]
    assert (clip.index[rows_of_coins] == coins.index).all()
    assert (clip.removed[rows_of_coins] == coins.frames).all()


def test_changed_pixels_give_the_changed_frames_back(played: FrameBank) -> None:
    clip = trajectory(played)
    data = clip_data(clip)
    for m in range(len(clip.removed)):
        part = slice(data["removedStart"][m], data["removedStart"][m + 1])
        frame = clip.frames[data["removedFrame"][m]].reshape(4096, 3).copy()
        frame[data["places"][part]] = data["colours"][part]
        assert (frame.reshape(64, 64, 3) == clip.removed[m]).all()
    unpacked = gzip.decompress(base64.b64decode(plain(data)["frames"]["gzip"]))
    assert unpacked == played.frames.tobytes()


def test_advantage_is_that_of_a_slow_sum() -> None:
    values = np.array([1.0, 2.0, 4.0, 3.0, 5.0])
    rewards = np.array([0, 10, 0, 0, 7], dtype=np.float32)
    found = advantage(values, rewards, np.array([0, 0, 1, 1, 1]))
    decay = 0.999 * 0.95
    deltas = [0 + 0.999 * 2 - 1, 10 - 2, 0.999 * 3 - 4, 0.999 * 5 - 3]
    wanted = [deltas[0] + decay * deltas[1], deltas[1], deltas[2] + decay * deltas[3], deltas[3]]
    assert found[:4] == pytest.approx(wanted)
    assert math.isnan(found[4])


def test_surprising_frames_keep_apart() -> None:
    values = np.array([0.0, 5, 4, 0, -3, 0, 2, -1, 0, np.nan])
    assert surprising(values, count=2, apart=3) == ([4, 7], [1, 6])
    assert surprising(values, count=9, apart=1)[1][0] == 1
    assert 9 not in surprising(values, count=10, apart=1)[0]


def test_policy_counts_actions_with_the_same_effect_together(agent: Agent, bank: FrameBank) -> None:
    values, policy = act(agent, bank.frames[:3])
    with torch.no_grad():
        logits, value = agent.network(torch.from_numpy(bank.frames[:3]))
    chances = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(axis=1, keepdims=True)
    assert values == pytest.approx(value.numpy())
    assert policy.sum(axis=1) == pytest.approx(1)
    names = list(COINRUN.moves)
    assert policy[:, names.index("right")] == pytest.approx(chances[:, 7])
    assert policy[:, names.index("nothing")] == pytest.approx(chances[:, [4, 9, 10, 11, 12, 13, 14]].sum(axis=1))
    few = untrained_agent("compact", EnvOptions(), 0, actions=(7, 4, 1))
    assert target_of(few, "left") == "logits:2"
    assert target_of(few, "value") == "value"
    with pytest.raises(InputError, match="targets has 'down', which the agent has no action for"):
        target_of(few, "down")
    with pytest.raises(InputError, match="targets has 'sideways'; it can have value, left,"):
        target_of(few, "sideways")


def test_features_and_residual_add_up_to_the_target(agent: Agent, bank: FrameBank) -> None:
    attribution = attribute(agent.network, "2b", bank.frames[:5], steps=64)
    found = explained(Channels(32), [3, 7, 1], attribution)
    assert found.maps.shape == (5, 4, 16, 16)
    assert (found.maps[:, 1] == attribution.maps[:, 7]).all()
    difference = attribution.outputs - attribution.baseline
    assert np.abs(found.sums.sum(axis=1) - difference).max() <= attribution.completeness_error.max() + 1e-4
    data = explained_data(found)
    error = np.abs(data["maps"] * data["steps"][:, :, None, None] - found.maps).max(axis=(2, 3))
    assert (error <= data["steps"] * 0.5001).all()
    assert (np.abs(data["maps"][:, 3]).max(axis=(1, 2)) == 127).all()
    large = explained_data(Explained(np.repeat(found.maps, 2, axis=3), found.sums, 1.0, 1.0))
    assert np.abs(large["maps"]).max() == 31
    assert large["steps"] == pytest.approx(np.abs(found.maps).max(axis=(2, 3)) / 31)


def test_a_view_measures_the_frames_without_an_item(agent: Agent, played: FrameBank) -> None:
    clip = trajectory(played)
    own = attribute(agent.network, "2b", clip.frames, steps=2)
    gone = attribute(agent.network, "2b", clip.removed, steps=2)
    seen = view(agent, clip, {"value": own}, [gone], Channels(32), [0, 5])
    assert seen.removed_values == pytest.approx(gone.outputs, abs=1e-5)
    assert seen.removed_sums[:, 1] == pytest.approx(gone.maps[:, 5].sum(axis=(1, 2)), abs=1e-5)
    assert seen.removed_sums.sum(axis=1) == pytest.approx(gone.maps.sum(axis=(1, 2, 3)), abs=1e-4)
    assert seen.removed_policy.shape == (len(clip.removed), len(COINRUN.moves))


def test_the_grid_of_examples_is_that_of_a_slow_choice() -> None:
    activations = np.random.default_rng(0).random((40, 16, 16))
    found = example_grid(activations)
    pairs = sorted(
        (
            (activations[n, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2].max(), n, r, c)
            for n in range(40)
            for r in range(GRID)
            for c in range(GRID)
        ),
        reverse=True,
    )
    chosen: dict[tuple[int, int], int] = {}
    for _, n, r, c in pairs:
        if (r, c) not in chosen and list(chosen.values()).count(n) < REUSE:
            chosen[r, c] = n
    assert {(r, c): int(found.frame[r, c]) for r, c in chosen} == chosen
    few = example_grid(activations[:2])
    assert np.count_nonzero(few.frame < 0) == GRID * GRID - 2 * REUSE
    assert example_grid(activations[:, :5, :5]).frame.shape == (GRID, GRID)


def test_limits_of_lift_are_those_of_leaving_environments_out(bank: FrameBank) -> None:
    generator = np.random.default_rng(0)
    maps, masks = generator.normal(size=(len(bank), 2, 4, 4)), generator.random((len(bank), 3, 4, 4))
    energies = Energies.from_maps(maps, masks, bank.environment, bank.time)
    limits, lift = lift_limits(energies), energies.lift()
    left_out = []
    for environment in np.unique(bank.environment):
        kept = bank.environment != environment
        left_out.append(
            Energies.from_maps(maps[kept], masks[kept], bank.environment[kept], bank.time[kept]).lift()[1, 2]
        )
    count = len(left_out)
    deviation = math.sqrt((count - 1) / count * ((np.array(left_out) - np.mean(left_out)) ** 2).sum())
    assert limits[:, 1, 2] == pytest.approx([lift[1, 2] - 1.959964 * deviation, lift[1, 2] + 1.959964 * deviation])


def test_cards_are_the_scores_and_point_at_the_right_frames(agent: Agent, bank: FrameBank, evidence: Evidence) -> None:
    config = ScoreConfig(features="channels", steps=2, bootstrap=50, permutations=50)
    subject = explain(agent.network, "2b", bank, evidence, steps=2, pool=False)
    found = score_subject(agent, subject, config)
    made = cards(found)
    assert [card.row for card in made] == shown_features(found)
    shares = [card.share for card in made]
    assert len(made) == MOST
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == found.features.share.max()
    first = made[0]
    k = first.row
    mass = np.abs(found.maps[:, k]).sum(axis=(1, 2))
    assert first.top[0] == mass.argmax()
    assert len(set(bank.environment[first.top])) == len(first.top)
    assert sum(first.activation["counts"]) == len(bank) * 16 * 16
    for kind, value, low, high in first.lifts:
        assert value == found.features.of["lift"][k, COINRUN.index(kind)]
        assert low < value < high
    told = {term: text for term, text, _ in first.facts}
    c = COINRUN.index(str(first.kind))
    assert told["stability"] == f"{found.features.of['stability'][k, c]:.2f}".replace("-", "−").replace("nan", "–")
    assert told["κ"].startswith(f"{found.verdict.kappa[k, c]:.2f} (".replace("-", "−"))
    assert told["table row"] == str(k)
    strongest = np.unravel_index(first.grid.activation.argmax(), (GRID, GRID))
    activation = subject.own.activations[:, k]
    assert first.grid.activation.max() == pytest.approx(activation.max())
    assert activation[first.grid.frame[strongest]].max() == pytest.approx(activation.max())
    assert sentence("a", found.record).startswith("a: ")
    names = [row.name for row in rows([found.record])]
    assert names[:2] == ["interpretable fraction", "graded score"]


def test_numbers_and_curves_of_the_overview() -> None:
    found = cell(Number(0.5, (-1.0, 3.0)), most=2)
    assert (found.value, found.low, found.high) == (0.25, 0, 1)
    assert found.text == "0.50 (−1.00 to 3.00)"
    assert cell(Number()).value is None
    agents = [untrained_agent("compact", EnvOptions(), seed) for seed in (0, 1)]
    agents[0].curve = [(0, 0.0), (200, 10.0)]
    drawn = curves(agents)
    assert drawn["lines"] == [f"40.0,{HEIGHT - 25:.1f} {WIDTH - 10:.1f},10.0", ""]
    assert drawn["steps"] == 200


def test_only_a_report_is_ever_overwritten(tmp_path: Path) -> None:
    assert check_folder(tmp_path / "new") is None
    (tmp_path / ".lock").touch()
    assert check_folder(tmp_path) is None
    (tmp_path / "thesis.txt").write_text("do not lose")
    with pytest.raises(InputError, match="exists and is not a report; it is left as it is"):
        check_folder(tmp_path)
    (tmp_path / "report.json").write_text('{"format": "something else"}')
    with pytest.raises(InputError, match="is not a report"):
        check_folder(tmp_path)
    (tmp_path / "report.json").write_text("{cut sh")
    with pytest.raises(InputError, match="is not a report"):
        check_folder(tmp_path)
    (tmp_path / "report.json").write_text(json.dumps({"format": FORMAT, "finished": False}))
    assert check_folder(tmp_path) == {"format": FORMAT, "finished": False}
    with pytest.raises(InputError, match=r"thesis\.txt is a file; the report needs a folder"):
        check_folder(tmp_path / "thesis.txt")


def test_a_film_shows_frame_and_overlay(tmp_path: Path) -> None:
    import av
    from PIL import Image

    generator = np.random.default_rng(0)
    frames = generator.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    maps = np.zeros((6, 4, 4))
    maps[:, 1, 2] = 1.0
    cells = np.arange(64) // 16
    sheets = list(pictures(frames, maps, cells, np.arange(6.0), np.arange(6) == 0))
    assert (sheets[3][SCALE // 2 : 64 * SCALE : SCALE, SCALE // 2 : 64 * SCALE : SCALE] == frames[3]).all()
    half = sheets[3][: 64 * SCALE, 64 * SCALE + 12 :][::SCALE, ::SCALE]
    assert (half[16:32, 32:48] == np.round(np.array([0.95, 0.35, 0.0]) * 255)).all()
    grey = np.round(frames[3][:16, :16] @ (0.299, 0.587, 0.114) * 0.75)
    assert np.abs(half[:16, :16, 0] - grey).max() <= 1
    assert sheets[0].shape == (64 * SCALE + 12 + STRIP, 2 * 64 * SCALE + 12, 3)
    write(tmp_path / "film.mp4", sheets, 12)
    with av.open(str(tmp_path / "film.mp4")) as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert container.streams.video[0].average_rate == 12
    assert len(decoded) == 6
    assert np.abs(decoded[3].astype(int) - sheets[3]).mean() < 8
    write(tmp_path / "film.gif", sheets, 10)
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 6  # type: ignore[attr-defined]
        assert film.info["duration"] == 100
    with pytest.raises(InputError, match=r"ends in neither \.mp4 nor \.gif"):
        write(tmp_path / "film.avi", sheets, 12)
