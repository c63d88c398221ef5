"""One week of a harbour town's paper, written for these tests: twelve stories, four pictures."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from digest.model import (
    Edition,
    EditionState,
    EditionStory,
    LeftOut,
    LeftOutBy,
    Link,
    Period,
    Picture,
    Score,
    Sender,
    Story,
    Window,
)
from digest.render import Presentation

NONCE = "0123456789abcdef"
SITE = "https://harbourpost.example"


def presentation(**changes: object) -> Presentation:
    facts = Presentation(
        name="The Harbour Post",
        title="This week’s most popular news",
        language="en",
        zone="Europe/London",
        site_url="https://news.harbourpost.example",
        postal_address="The Harbour Post, 14 Quayside, Port Wenlow, PW1 2AB",
        web_url="https://news.harbourpost.example/e/weekly/2026-11-09",
    )
    return replace(facts, **changes)  # type: ignore[arg-type]


_LEAD_BODY = """
<figure><img src="x.jpg"><figcaption>The night ferry leaves Port Wenlow for the last
time.</figcaption></figure>
<p>The crew rang the bell eleven times, once for every decade and once for luck, and then the
<em>Margaret Holloway</em>
slid away from the quay with nobody aboard but the people who had run her.</p>
<p>For a hundred and nine years a ferry has left at ten past ten each night for the islands. From next
week a faster boat will make the crossing by day, in half the time and with a third of the fuel.</p>
<p><a href="https://harbourpost.example/ferries">Explore further: the ferries of the coast</a></p>
<p>Islanders who came to wave said they would not miss the cold, the diesel or the tea. They would miss
the talk.</p>
<p>“You could settle anything in four hours,” said Ruth Anders, who met her husband by the second
funnel.</p>
<p>Read more</p>
"""

# id, section, title, standfirst, readers, words of the full text
_STORIES = (
    (
        "Travel",
        "The last night ferry sails, with the whole town on the quay",
        (
            "After 109 years the ten-past-ten to the islands is gone. A daytime boat takes half as long, and "
            "leaves out the best part."
        ),
        12_413,
    ),
    (
        "Science",
        "Divers find a reef that nobody planted where the old pier fell",
        "Twelve years after the storm, the wreck has more kinds of fish than the marine park.",
        9_871,
    ),
    (
        "Town hall",
        "Library hours double, paid for by a bridge that was never built",
        "Councillors found £214,000 still set aside for a footbridge struck out in 1998.",
        7_204,
    ),
    (
        "Food",
        "A bakery with no sign has a queue, and this is why",
        "Two sisters bake ninety loaves a night in a former bank vault. By seven they are gone.",
        6_655,
    ),
    (
        "Weather",
        "Why the fog comes at four",
        (
            "It is not your imagination: on 61 of the last 90 days it rolled in within twenty minutes of the "
            "hour. We asked the lighthouse."
        ),
        5_120,
    ),
    ("Sport", "Wenlow Ladies win the cup on a goal from their own half", "", 4_310),
    ("Town hall", "Recycling moves to Thursdays in the upper town", "", 3_944),
    ("Science", "School weather balloon comes down on a trawler, still filming", "", 3_210),
    ("Food", "Six places for chips, walked and weighed", "", 2_868),
    ("Travel", "The coast path is whole again, for the first time since the landslip", "", 2_455),
    ("Sport", "Open-water club asks swimmers to wear something bright", "", 1_730),
    ("Weather", "Spring tides on the 24th and 25th: where not to park", "", 940),
)

PICTURES: dict[int, tuple[str, str, str, int, int]] = {
    1: (
        "A white ferry with lit windows leaves a harbour at dusk",
        "The night ferry leaves Port Wenlow for the last time.",
        "Photo: Ines Marlow",
        1184,
        666,
    ),
    2: ("Sunlight falls through green water onto a reef", "", "", 352, 264),
    3: ("Tall shelves of books with a ladder against them", "", "", 352, 264),
    5: ("A lighthouse stands out of low fog", "", "", 352, 264),
}

_FILLER = (
    "It began with a telephone call that nobody wanted to answer. By Tuesday the harbour office had heard "
    "from every street between the church and the fish market, and by Wednesday somebody had drawn a map. "
)


def _body(number: int) -> str:
    return _LEAD_BODY if number == 1 else f"<p>{_FILLER * 2}</p><p>{_FILLER * (number % 4 + 3)}</p>"


def story(number: int, *, pictures: str = f"{SITE}/pictures") -> Story:
    section, title, standfirst, _ = _STORIES[number - 1]
    picture = None
    if number in PICTURES:
        alt, caption, by, width, height = PICTURES[number]
        picture = Picture(f"{pictures}/{number}.jpg", alt, caption, by, width, height)
    related = (
        (
            Link("What the new boat can do, and what it cannot", f"{SITE}/new-boat"),
            Link("In letters: forty years of night crossings", f"{SITE}/letters"),
            Link("The timetable from Monday", f"{SITE}/timetable"),
        )
        if number == 1
        else ()
    )
    return Story(
        id=100 + number,
        source="site",
        external_id=f"story-{number}",
        url=f"{SITE}/stories/{number}?from=a&to=b",
        title=title,
        first_seen=dt.datetime(2026, 11, 10, 8, tzinfo=dt.UTC),
        standfirst=standfirst,
        body=_body(number) * (3 if number == 1 else 1),
        section=section,
        language="en",
        picture=picture,
        published=dt.datetime(2026, 11, 10, 8, tzinfo=dt.UTC),
        related=related,
        full_text=True,
    )


def entry(number: int, *, pictures: str = f"{SITE}/pictures") -> EditionStory:
    readers = _STORIES[number - 1][3]
    return EditionStory(
        position=number,
        story=story(number, pictures=pictures),
        reasons=(f"{readers:,} readers",),
        score=Score("readers", readers + 55.5, readers, 55.5, distinct=True),
    )


def edition(count: int = 12, *, pictures: str = f"{SITE}/pictures", **changes: object) -> Edition:
    zone = dt.UTC
    start, end = dt.datetime(2026, 11, 9, tzinfo=zone), dt.datetime(2026, 11, 16, tzinfo=zone)
    left_out = replace(story(7), id=300, title="Bin day, explained by a bin man", url=f"{SITE}/stories/300")
    whole = Edition(
        id=41,
        newsletter="weekly",
        number=41,
        period=Period(
            start.date(),
            Window(start, end),
            end + dt.timedelta(hours=6),
            end + dt.timedelta(hours=32),
            end + dt.timedelta(hours=33),
        ),
        state=EditionState.draft,
        stories=tuple(entry(number, pictures=pictures) for number in range(1, count + 1)),
        left_out=(LeftOut(left_out, LeftOutBy.rank, "rank 13 of 40", 800.0),),
        subject="The last night ferry sails, with the whole town on the quay",
        preheader="Divers find a reef that nobody planted · Library hours double",
        intro="A week of endings that turned out to be beginnings. Thank you to the readers who sent us fog.",
        sender=Sender("The Harbour Post", "post@harbourpost.example"),
        metric="readers",
    )
    return replace(whole, **changes)  # type: ignore[arg-type]
