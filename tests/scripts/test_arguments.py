"""Names as people have them: files with signs in them, and people with letters beyond ASCII."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from agents.checkpoint import save_agent, untrained_agent
from agents.naming import LONGEST, fitting
from commands import ROOT, refused, run
from common.arguments import quoted, taken, unquoted
from rollouts.env import EnvOptions

NAMES = (
    "a=1",
    "a,b",
    "a b",
    "[x]",
    "[x].y",
    "it's",
    'say "hi"',
    "50%",
    "a (1)",
    "${x}",
    "\\${x}",
    "größe",
    "~a#;!&<>",
    "{a}",
)


def read(argument: str, key: str = "agent") -> object:
    """What Hydra and OmegaConf make of an argument."""
    override = OverridesParser.create().parse_override(argument)
    assert override.get_key_element() == key
    assert not override.is_sweep_override()
    return OmegaConf.to_container(OmegaConf.create({key: override.value()}), resolve=True)[key]  # type: ignore[index,call-overload]


@given(st.text(st.sampled_from("\\'\"${}=,[]ü %(a"), min_size=1))
def test_a_quoted_text_is_read_as_it_was(text: str) -> None:
    (override,) = OverridesParser.create().parse_overrides([f"agent={quoted(text)}"])
    assert read(f"agent={quoted(text)}") == unquoted(override._value) == text  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_exists_is_taken_whatever_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    (tmp_path / "other").touch()
    assert read(taken(f"agent={name}")) == name
    assert read(taken(f"agent={tmp_path / name}")) == str(tmp_path / name)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("agent=Größe (1)=2.mp4", "Größe (1)=2.mp4"),
        ("agent=[Jörg,Ann,a (1).b]", ["Jörg", "Ann", "a (1).b"]),
        ("agent=['a, b',Jörg]", None),
        ("agent=[a,1e3]", ["a", 1000.0]),
        ("agent=null", None),
        ("agent=0.5", 0.5),
        ("agent='a, b'", "a, b"),
    ],
)
def test_what_the_grammar_reads_is_left_and_the_rest_is_a_name(argument: str, value: object) -> None:
    if value is None:
        assert taken("agent=null") == "agent=null"
    else:
        assert read(taken(argument)) == value


@pytest.mark.parametrize(
    "argument", ["-m", "--config-dir=/x/ü", "seed=1,2", "agent=a,b", "~agent", "+x=[1,2]", "export"]
)
def test_other_arguments_are_left(argument: str) -> None:
    assert taken(argument) == argument


def test_a_number_is_not_taken_for_a_file_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("1", "true", "null", "5e6"):
        (tmp_path / name).touch()
        assert taken(f"seed={name}") == f"seed={name}"


def test_names_that_fit_a_folder() -> None:
    assert fitting("größe, a=1") == "größe, a=1"
    for name in ("a" * 230, "ü" * 110, "${x}-1", "a\\${x}"):
        fits = fitting(name)
        assert len(fits.encode()) <= LONGEST
        assert "${" not in fits
        assert fitting(fits) == fits
        assert fits != fitting(name + "b")
    assert fitting("/" + "a" * 230) == "/" + "a" * 230


@pytest.mark.parametrize("name", ["[a], b=${x} 50% (1) größe", "n" * 230], ids=["signs", "long"])
def test_a_command_takes_an_agent_of_any_name(name: str, tmp_path: Path) -> None:
    """From the command line to the folder, the sentences and the next command's file."""
    save_agent(tmp_path / f"{name}.safetensors", untrained_agent("compact", EnvOptions(), 1))
    small = ("frames=64", "pool_frames=0", "features=channels", "steps=1", "bootstrap=20", "permutations=9")
    done = run("collect", f"agent={name}.safetensors", *small[:2], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs/collect").iterdir()
    assert f"{folder.relative_to(tmp_path)}/bank.zip: 64 frames" in done.stdout
    bank = f"bank={folder.relative_to(tmp_path)}/bank.zip"
    for more in ((), ("-m",)):
        done = run("score", *more, f"agent={name}.safetensors", bank, *small, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert "is finished; nothing to do." in done.stdout
    assert len(list((tmp_path / "runs/score").iterdir())) == 1


def test_a_sentence_shows_how_to_write_what_would_be_interpolated(tmp_path: Path) -> None:
    sentence = refused("curves", "agents=untrained:compact:0", "output=${x}.png", cwd=tmp_path)
    assert "Interpolation key 'x' not found" in sentence
    assert sentence.endswith(
        r"in the name of a file that is still to be written, ${ is written \${ within single quotes."
    )
    done = run("curves", f"agents={ROOT}/zoo/compact-hard-all.safetensors", r"output='\${x} (ü).png'", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["${x} (ü).png"]


def test_brackets_and_colons_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.table import Table

    from common.progress import CONSOLE

    CONSOLE.file = None  # the one that is captured here
    table = Table("agent")
    table.add_row("[red]a[/] :smile:")
    CONSOLE.print("Written: runs/[bold]x[/b]/a.png :warning:")
    CONSOLE.print(table)
    said = capsys.readouterr().out
    assert "Written: runs/[bold]x[/b]/a.png :warning:" in said
    assert "[red]a[/] :smile:" in said
