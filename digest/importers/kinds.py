"""What kind of story it is, by signs that many sites share: advertising, live blogs, galleries, videos.

Three signs count, the strongest first: the type that a page states (schema.org), the name of its section or
of a tag in the languages below, and a part of its address. A sign has to be a whole word of its own: an
article about a gallery is no gallery.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from digest.importers.clean import line
from digest.model import StoryKind

_TYPES = {
    "liveblogposting": StoryKind.live,
    "advertisercontentarticle": StoryKind.sponsored,
    "imagegallery": StoryKind.gallery,
    "mediagallery": StoryKind.gallery,
    "videoobject": StoryKind.video,
    "videogallery": StoryKind.video,
    "video.other": StoryKind.video,
    "video.episode": StoryKind.video,
    "video.movie": StoryKind.video,
    "video": StoryKind.video,
}
"""schema.org types, and og:type (ogp.me), in lower case."""

_WORDS: dict[StoryKind, str] = {
    StoryKind.sponsored: (
        "sponsored advertorial advertisement ad-feature paid-post paid-content partner-content"
        " partnercontent branded-content brand-content brandvoice brandpost sponsor sponsored-content"
        " sponsored-post promoted"
        " anzeige advertorials sponsored-post gesponsert"
        " publi-redactionnel publiredactionnel publireportage contenu-sponsorise"
        " contenu-partenaire sponsorise"
        " patrocinado contenido-patrocinado publirreportaje contenido-de-marca"
        " sponsorizzato pubbliredazionale contenuto-sponsorizzato"
        " conteudo-patrocinado publieditorial conteudo-de-marca"
        " gesponsord advertentie betaalde-inhoud"
        " annons sponsrat annonsorsinnehall annonce sponsoreret annonsorinnhold sponset"
        " artykul-sponsorowany sponsorowany"
    ),
    StoryKind.live: (
        "live liveblog live-blog livefeed liveticker live-ticker live-updates live-news en-direct direct"
        " en-vivo en-directo ao-vivo in-diretta diretta live-verslag liveuppdatering na-zywo"
    ),
    StoryKind.gallery: (
        "gallery galleries photo-gallery photogallery photos slideshow in-pictures pictures"
        " bildergalerie bilderstrecke fotostrecke galerie diaporama portfolio-photo galeria fotogaleria"
        " galerias fotogalleria fotogallery gallerie fotoserie fotos bildspel bildserie galeria-zdjec"
    ),
    StoryKind.video: ("video videos filmpje mediathek videoclip wideo videoer filmer"),
}
_BY_WORD = {word: kind for kind, words in _WORDS.items() for word in words.split()}
"""Not in it: what is a field of news as well, such as advertising."""
_LIVE_PAGE = re.compile(r"live-?(?:blog|ticker|updates?)\b")
_NAMED = {
    "liveblog": StoryKind.live,
    "advertorial": StoryKind.sponsored,
    "sponsor": StoryKind.sponsored,
    "photos": StoryKind.gallery,
}
_SPLIT = re.compile(r"[\s_/|:]+")
_ACCENTS = str.maketrans("áàâãäåéèêëíìîïóòôõöøúùûüçñ", "aaaaaaeeeeiiiioooooouuuucn")


def kind_named(stated: str) -> StoryKind:
    """Of a column that may mean something else by "type", only what is a kind of ours counts."""
    name = line(stated).lower().replace(" ", "").replace("-", "")
    return _NAMED.get(name) or (StoryKind(name) if name in StoryKind.__members__ else StoryKind.article)


def kind_of(url: str, *, types: Iterable[str] = (), names: Iterable[str] = ()) -> StoryKind:
    """The kind of the story at `url`; an article where nothing says otherwise.

    `types` are those that its page states, `names` its sections and tags. Where several kinds are said,
    advertising comes first: it is what a reader must be told.
    """
    said = {kind for each in types if (kind := _TYPES.get(line(each).rpartition("/")[2].lower()))}
    said |= {kind for each in names if (kind := _BY_WORD.get(_word(each)))}
    said |= set(_in_path(url))
    for kind in (StoryKind.sponsored, StoryKind.live, StoryKind.gallery, StoryKind.video):
        if kind in said:
            return kind
    return StoryKind.article


def _word(name: str) -> str:
    return "-".join(_SPLIT.split(line(name, 80).lower().translate(_ACCENTS))).strip("-#.")


def _in_path(url: str) -> Iterable[StoryKind]:
    """Of the folders; the last part is the page's own name, where only a live blog's first word is a sign."""
    *folders, page = [part for part in urlsplit(url).path.lower().split("/") if part] or [""]
    yield from (kind for folder in folders if (kind := _BY_WORD.get(folder)))
    if _LIVE_PAGE.match(page):
        yield StoryKind.live
