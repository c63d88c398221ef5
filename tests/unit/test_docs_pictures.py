"""The pictures of the documentation: there, small, made by the generator, and described."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from docs import pictures

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def shown(page: Path) -> list[tuple[Path, str]]:
    """The pictures on a page: file and alternative text."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r'<img src="([^"]+)"[^>]*? alt="([^"]*)"', text)
    found += [(file, alt) for alt, file in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", text)]
    return [(page.parent / file, alt) for file, alt in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_picture_on_a_page_is_there_and_has_words(page: Path) -> None:
    for file, alt in shown(page):
        assert file.is_file()
        assert alt


def test_every_picture_is_made_by_the_generator_and_small() -> None:
    files = sorted(pictures.TARGET.iterdir())
    plots = [file.name for file in files if file.suffix == ".svg"]
    assert plots == ["sending-rtt.svg"]  # python -m benchmarks.rtt --plot
    assert [file.stem for file in files if file.name not in plots] == sorted(pictures.PICTURES)
    assert all(file.stat().st_size <= pictures.MOST_BYTES for file in files)


def test_the_readme_shows_one_crop_in_light_and_dark() -> None:
    target = pictures.TARGET
    with Image.open(target / "email-light.png") as light, Image.open(target / "email-dark.png") as dark:
        assert light.size == dark.size
    assert [file.stem for file, _ in shown(ROOT / "README.md")][:2] == ["email-light", "email-dark"]


def test_colours_of_large_areas_survive(tmp_path: Path) -> None:
    accent, ground = (158, 27, 50), (255, 254, 252)
    picture = Image.new("RGB", (400, 300), ground)
    picture.paste(accent, (50, 50, 150, 150))
    framed = pictures.framed(picture, (222, 218, 210))
    pictures.save(framed, tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as file:
        saved = file.convert("RGBA")
    assert saved.getpixel((100, 100)) == (*accent, 255)
    assert saved.getpixel((200, 200)) == (*ground, 255)
    assert saved.getpixel((0, 0)) == (222, 218, 210, 0)
    assert saved.getpixel((200, 0)) == (222, 218, 210, 255)
