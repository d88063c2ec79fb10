"""The command that measures how many unseen levels begin as one that was trained on."""

from pathlib import Path

from commands import refused, run


def test_a_table_is_printed_and_written(tmp_path: Path) -> None:
    command = ("training=[300,100]", "modes=[easy]", "unseen=64", "output=out/table.md")
    done = run("layouts", *command, cwd=tmp_path, fresh=True)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "out/table.md").read_text()
    assert table in done.stdout
    heads, _, *rows = table.strip().splitlines()
    assert heads == "| mode | training levels | unseen levels of a known layout | layout and themes known |"
    assert [row.split(" | ")[:2] for row in rows] == [["| easy", "100"], ["| easy", "300"]]
    fewer, more = (float(row.split(" | ")[2].split("%")[0]) for row in rows)
    assert 0 < fewer < more < 50


def test_bad_input_is_answered_with_one_sentence(tmp_path: Path) -> None:
    for argument, sentence in (
        ("training=[0]", "training is 0; it must be from 1 to 1,000,000."),
        ("seed=-1", "seed is -1; it must be from 0 to 2,000,000,000."),
        ("modes=[medium]", "distribution_mode is 'medium'; CoinRun has 'hard' and 'easy'."),
    ):
        assert sentence in refused("layouts", argument, cwd=tmp_path)
