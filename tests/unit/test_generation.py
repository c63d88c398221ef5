from __future__ import annotations

from pathlib import Path

import pytest

from digest.errors import NothingToDo
from digest.work.generation import Generation


class Store:
    """A database whose backup can be restored."""

    def __init__(self, name: str = "here") -> None:
        self.id = name
        self.generation = 0

    def bump_generation(self) -> int:
        self.generation += 1
        return self.generation


def test_a_store_that_goes_on_is_trusted(tmp_path: Path) -> None:
    generation = Generation(Store(), tmp_path / "note")
    generation.check()
    generation.step()
    generation.step()
    generation.check()


def test_a_restored_backup_is_refused_with_the_way_out(tmp_path: Path) -> None:
    store = Store()
    generation = Generation(store, tmp_path / "note")
    generation.step()
    generation.step()
    store.generation = 1
    with pytest.raises(NothingToDo, match="went back in time") as refused:
        generation.check()
    assert refused.value.exit_code == 3
    assert "digest db accept-restore" in refused.value.hint


def test_an_accepted_restore_is_trusted_again_and_counts_above_both(tmp_path: Path) -> None:
    store = Store()
    generation = Generation(store, tmp_path / "note")
    for _ in range(5):
        generation.step()
    store.generation = 2
    assert generation.accept() == 6
    generation.check()
    store.generation = 5
    with pytest.raises(NothingToDo):
        generation.check()


def test_the_note_of_another_installation_says_nothing(tmp_path: Path) -> None:
    other = Generation(Store("there"), tmp_path / "note")
    for _ in range(9):
        other.step()
    Generation(Store("here"), tmp_path / "note").check()


@pytest.mark.parametrize("rubbish", ["", "{", "[]", '"text"', '{"installation": "other"}'])
def test_a_damaged_note_is_no_note(tmp_path: Path, rubbish: str) -> None:
    (tmp_path / "note").write_text(rubbish)
    Generation(Store(), tmp_path / "note").check()
