from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from digest.errors import NothingToDo, StoreError
from digest.work.generation import Generation


class Store:
    """A database whose backup can be restored."""

    def __init__(self, name: str = "here") -> None:
        self.id = name
        self.generation = 0
        self.third = threading.Event()

    def bump_generation(self) -> int:
        self.generation += 1
        if self.generation == 3:
            self.third.set()
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


def test_a_note_that_is_no_figure_is_no_note(tmp_path: Path) -> None:
    for wrong in ('"many"', "[1]", "null"):
        (tmp_path / "note").write_text(f'{{"installation": "here", "generation": {wrong}}}')
        Generation(Store(), tmp_path / "note").check()


def test_a_note_that_cannot_be_written_or_read_is_said(tmp_path: Path) -> None:
    generation = Generation(Store(), tmp_path / "nowhere" / "note")
    with pytest.raises(StoreError, match="cannot be written: No such file") as refused:
        generation.step()
    with pytest.raises(StoreError, match="cannot be written"):
        generation.check()
    assert "keys.file" in refused.value.hint
    with pytest.raises(StoreError, match="cannot be read: Is a directory"):
        Generation(Store(), tmp_path).check()


def test_a_run_counts_steps_before_between_and_after(tmp_path: Path) -> None:
    store = Store()
    seen = []

    async def run() -> None:
        async with Generation(store, tmp_path / "note").counted(every=0.01):
            seen.append(store.generation)
            assert await asyncio.to_thread(store.third.wait, 10)
            seen.append(store.generation)

    asyncio.run(run())
    assert seen[0] == 1
    assert store.generation > seen[1]
    Generation(store, tmp_path / "note").check()


def test_a_run_that_fails_counts_its_last_step_too_and_tells_why_it_failed(tmp_path: Path) -> None:
    store = Store()

    async def run() -> None:
        async with Generation(store, tmp_path / "note").counted():
            (tmp_path / "note").unlink()
            (tmp_path / "note").mkdir()  # nothing can be noted any more
            raise LookupError

    with pytest.raises(LookupError):
        asyncio.run(run())
    assert store.generation == 2


def test_a_step_that_cannot_be_counted_does_not_end_a_run(tmp_path: Path) -> None:
    class Locked(Store):
        def bump_generation(self) -> int:
            super().bump_generation()
            if self.generation == 2:
                raise StoreError("locked")
            return self.generation

    store = Locked()

    async def run() -> None:
        async with Generation(store, tmp_path / "note").counted(every=0.01):
            assert await asyncio.to_thread(store.third.wait, 10)

    asyncio.run(run())
    Generation(store, tmp_path / "note").check()


def test_runs_of_two_newsletters_do_not_trip_over_each_others_note(tmp_path: Path) -> None:
    generation = Generation(Store(), tmp_path / "note")
    with ThreadPoolExecutor(4) as pool:
        for step in [pool.submit(generation.step) for _ in range(40)]:
            step.result()
    generation.check()
    assert [path.name for path in tmp_path.iterdir()] == ["note"]
