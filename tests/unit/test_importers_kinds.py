"""Signs of advertising, live blogs, galleries and videos."""

from __future__ import annotations

import pytest

from digest.importers.kinds import kind_named, kind_of
from digest.model import StoryKind

SITE = "https://paper.example"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("/news/2026/a-story", StoryKind.article),
        ("/live/uk-1234", StoryKind.live),
        ("/politik/liveblog-wahl-100.html", StoryKind.live),
        ("/news/live-updates-storm", StoryKind.live),
        ("/news/live", StoryKind.article),
        ("/live-music-is-back", StoryKind.article),
        ("/videos/12/a-film", StoryKind.video),
        ("/video", StoryKind.article),
        ("/panorama/bilderstrecke/12", StoryKind.gallery),
        ("/in-pictures/12", StoryKind.gallery),
        ("/advertorial/shoes", StoryKind.sponsored),
        ("/business/media/advertising/12", StoryKind.article),
        ("/paid-content/video/12", StoryKind.sponsored),
        ("", StoryKind.article),
    ],
)
def test_parts_of_an_address_are_signs(url: str, kind: StoryKind) -> None:
    assert kind_of(SITE + url) is kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Anzeige", StoryKind.sponsored),
        ("Partner Content", StoryKind.sponsored),
        ("Publi-rédactionnel", StoryKind.sponsored),
        ("Contenido patrocinado", StoryKind.sponsored),
        ("En direct", StoryKind.live),
        ("Liveticker", StoryKind.live),
        ("Galería", StoryKind.gallery),
        ("VÍDEOS", StoryKind.video),
        ("Advertising", StoryKind.article),
        ("Live music", StoryKind.article),
        ("", StoryKind.article),
    ],
)
def test_names_of_sections_in_several_languages_are_signs(name: str, kind: StoryKind) -> None:
    assert kind_of(SITE, names=[name]) is kind


def test_the_type_that_a_page_states_is_a_sign() -> None:
    assert kind_of(SITE, types=["https://schema.org/LiveBlogPosting"]) is StoryKind.live
    assert kind_of(SITE, types=["NewsArticle"]) is StoryKind.article
    assert kind_of(SITE, types=["video.other", "AdvertiserContentArticle"]) is StoryKind.sponsored


def test_a_column_may_name_the_kind() -> None:
    assert kind_named("Live-Blog") is StoryKind.live
    assert kind_named("sponsored") is StoryKind.sponsored
    assert kind_named("default") is StoryKind.article
