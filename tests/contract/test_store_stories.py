"""Stories come in again and again and stay one each; on both databases."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading

import pytest
import sqlalchemy as sa

from digest.errors import UsageError
from digest.model import Link, Picture, StoryDraft, StoryKind
from digest.store import Database, tables
from digest.store.events import Events
from digest.store.intake import StoryCounts
from digest.store.stories import Name, Stories
from tests.fakes import FixedClock

DAY = dt.timedelta(days=1)


def draft(name: str, url: str = "", title: str = "A heading") -> StoryDraft:
    return StoryDraft(external_id=name, url=url or f"https://news.example/{name}", title=title)


def test_a_story_comes_back_as_it_was_handed_over(database: Database, clock: FixedClock) -> None:
    stories = Stories(database)
    whole = StoryDraft(
        external_id="tag:news.example,2026:1",
        url="https://news.example/1",
        title="Großes Ereignis 🎉",
        standfirst="What happened",
        body="<p>All of it</p>",
        author="Ann",
        section="World",
        language="de",
        picture=Picture("https://news.example/1.jpg", alt="", caption="c", width=640, height=360),
        published=clock.now() - DAY,
        updated=clock.now(),
        kind=StoryKind.live,
        related=(Link("Before", "https://news.example/0"),),
        full_text=True,
    )
    assert stories.import_drafts("news", [whole], seen=clock.now()) == StoryCounts(new=1)
    story = stories.get(1)
    for field in dataclasses.fields(StoryDraft):
        if field.name not in ("first_seen", "once", "link", "from_page"):  # what only importing needs
            assert getattr(story, field.name) == getattr(whole, field.name), field.name
    assert (story.source, story.first_seen, story.withdrawn) == ("news", clock.now(), None)
    assert stories.import_drafts("news", [whole], seen=clock.now()) == StoryCounts(same=1)


def test_a_story_that_a_batch_names_many_times_was_first_seen_the_first_time(
    database: Database, clock: FixedClock
) -> None:
    stories, early = Stories(database), clock.now() - 3 * DAY
    drafts = [
        dataclasses.replace(draft("1", title=f"Heading {n}"), first_seen=early + n * DAY) for n in (1, 0, 2)
    ]
    dated = dataclasses.replace(draft("2"), published=early)
    assert stories.import_drafts("news", [*drafts, dated, draft("2")], seen=clock.now()).new == 2
    assert (stories.get(1).title, stories.get(1).first_seen) == ("Heading 2", early)
    assert (stories.get(2).published, stories.get(2).first_seen) == (early, clock.now())


def test_importing_again_changes_nothing(database: Database, clock: FixedClock) -> None:
    stories = Stories(database)
    drafts = [draft(f"{n}") for n in range(2500)]
    sizes: list[int] = []
    assert stories.import_drafts("news", drafts, seen=clock.now(), progress=sizes.append).new == 2500
    assert sizes == [1000, 1000, 500]
    before = stories.list_(limit=None)
    clock.advance(DAY)
    assert stories.import_drafts("news", iter(drafts), seen=clock.now()) == StoryCounts(same=2500)
    assert stories.list_(limit=None) == before
    assert stories.count() == 2500


def test_a_changed_heading_is_kept_as_a_version(database: Database, clock: FixedClock) -> None:
    stories = Stories(database)
    stories.import_drafts("news", [draft("1", title="Storm coming")], seen=clock.now())
    clock.advance(DAY)
    changed = dataclasses.replace(draft("1", title="Storm passed"), standfirst="No harm done")
    assert stories.import_drafts("news", [changed], seen=clock.now()) == StoryCounts(changed=1)
    (version,) = stories.headings(1)
    assert (version.title, version.standfirst, version.until) == ("Storm coming", "", clock.now())
    assert stories.get(1).title == "Storm passed"
    again = dataclasses.replace(changed, standfirst="Little harm done")
    assert stories.import_drafts("news", [again], seen=clock.now()).changed == 1
    assert len(stories.headings(1)) == 1


def test_of_two_drafts_with_one_id_the_later_counts(database: Database, clock: FixedClock) -> None:
    stories = Stories(database)
    twice = [draft("1", title="First"), draft("1", title="Second")]
    assert stories.import_drafts("news", twice, seen=clock.now()) == StoryCounts(new=1, same=1)
    assert stories.get(1).title == "Second"


def test_the_same_url_from_another_source_is_the_same_story_with_one_more_name(
    database: Database, clock: FixedClock
) -> None:
    stories = Stories(database)
    stories.import_drafts("feed", [draft("a", "https://news.example/x", "Ours")], seen=clock.now())
    other = draft("77", "https://news.example/x", "Theirs")
    assert stories.import_drafts("aggregator", [other], seen=clock.now()) == StoryCounts(same=1)
    assert stories.import_drafts("aggregator", [other], seen=clock.now()) == StoryCounts(same=1)
    assert stories.count() == 1
    assert stories.get(1).title == "Ours"
    assert stories.names(1) == [Name("feed", "a"), Name("aggregator", "77")]
    assert stories.headings(1) == []


def test_a_url_submitted_twice_to_one_source_stays_two_stories(database: Database, clock: FixedClock) -> None:
    stories = Stories(database)
    url = "https://news.example/x"
    first = [draft("1", url), draft("2", url)]
    assert stories.import_drafts("hn", first, seen=clock.now()).new == 2
    assert stories.import_drafts("hn", [draft("3", url)], seen=clock.now()).new == 1
    # The other source's three names go to one story each, the fourth makes its own.
    others = [draft(name, url) for name in "abcd"]
    assert stories.import_drafts("other", others, seen=clock.now()) == StoryCounts(new=1, same=3)
    assert stories.import_drafts("other", others, seen=clock.now()) == StoryCounts(same=4)
    assert stories.count() == 4


def test_first_seen_never_moves_later_and_a_lost_date_is_not_taken_back(
    database: Database, clock: FixedClock
) -> None:
    stories = Stories(database)
    seen = clock.now()
    dated = dataclasses.replace(draft("1"), published=seen - 3 * DAY)
    early = dataclasses.replace(draft("2"), first_seen=seen - 2 * DAY)
    stories.import_drafts("news", [dated, early, draft("3")], seen=seen)
    later = seen + 5 * DAY
    stories.import_drafts("news", [draft("1"), draft("2"), draft("3")], seen=later)
    first, second, third = (stories.get(n) for n in (1, 2, 3))
    assert (first.published, first.first_seen, first.date) == (seen - 3 * DAY, seen, seen - 3 * DAY)
    assert (second.first_seen, second.date) == (seen - 2 * DAY, seen - 2 * DAY)
    assert (third.first_seen, third.date) == (seen, seen)
    earlier = dataclasses.replace(draft("3"), first_seen=seen - DAY)
    stories.import_drafts("news", [earlier], seen=later)
    assert stories.get(3).date == seen - DAY


def test_times_are_kept_in_whole_seconds_and_compare_equal_again(
    database: Database, clock: FixedClock
) -> None:
    stories = Stories(database)
    odd = dt.datetime(2026, 11, 15, 12, 0, 0, 999_999, tzinfo=dt.timezone(dt.timedelta(hours=5)))
    precise = dataclasses.replace(draft("1"), published=odd, updated=odd)
    stories.import_drafts("news", [precise], seen=clock.now())
    assert stories.get(1).published == odd.replace(microsecond=0)
    assert stories.import_drafts("news", [precise], seen=clock.now()) == StoryCounts(same=1)
    naive = dataclasses.replace(draft("2"), published=dt.datetime(2026, 11, 15))  # noqa: DTZ001 - meant
    with pytest.raises(ValueError, match="without a zone"):
        stories.import_drafts("news", [naive], seen=clock.now())


def test_a_withdrawn_story_stays_withdrawn_until_a_person_restores_it(
    database: Database, clock: FixedClock
) -> None:
    stories = Stories(database)
    stories.import_drafts("news", [draft("1")], seen=clock.now())
    assert stories.withdraw(1, at=clock.now(), by="Ann", reason="wrong")
    assert not stories.withdraw(1, at=clock.now() + DAY, by="Ben")
    stories.import_drafts("news", [draft("1", title="Corrected")], seen=clock.now())
    assert stories.get(1).withdrawn == clock.now()
    assert stories.restore(1, at=clock.now(), by="Ann")
    assert not stories.restore(1, at=clock.now(), by="Ann")
    assert stories.get(1).withdrawn is None
    assert [(e.actor, e.action) for e in Events(database).of("story 1")] == [
        ("Ann", "restore"),
        ("Ann", "withdraw"),
    ]


def test_a_batch_that_fails_leaves_nothing_behind(database: Database, clock: FixedClock) -> None:
    stories = Stories(database)
    bad = dataclasses.replace(draft("2"), title=None)  # type: ignore[arg-type]  # what a faulty importer does
    with pytest.raises(sa.exc.IntegrityError):
        stories.import_drafts("news", [draft("1"), bad], seen=clock.now())
    assert stories.count() == 0
    with database.read() as connection:
        assert connection.execute(sa.select(tables.source)).all() == []


def test_imports_at_the_same_time_make_each_story_once(database_url: str, clock: FixedClock) -> None:
    drafts = [draft(f"{n}") for n in range(1500)]
    barrier = threading.Barrier(3)
    counts: list[StoryCounts] = []

    def run(source: str) -> None:
        database = Database(database_url)
        barrier.wait()
        counts.append(Stories(database).import_drafts(source, drafts, seen=clock.now()))
        database.close()

    threads = [threading.Thread(target=run, args=(name,)) for name in ("news", "news", "mirror")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database = Database(database_url)
    assert sum(count.new for count in counts) == 1500
    assert Stories(database).count() == 1500
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.story_name)).scalar() == 3000
    database.close()


@pytest.fixture
def named(database: Database, clock: FixedClock) -> Stories:
    stories = Stories(database)
    stories.import_drafts("news", [draft("guid:1"), draft("2"), draft("9")], seen=clock.now())
    stories.import_drafts("hn", [draft("9", "https://else.example/9")], seen=clock.now())
    stories.import_drafts("hn", [draft("10", "https://else.example/9")], seen=clock.now())
    return stories


@pytest.mark.parametrize(
    ("ref", "number"),
    [
        ("#2", 2),
        ("guid:1", 1),
        (" guid:1 ", 1),
        ("1", 1),
        ("2", 2),
        ("hn:9", 4),
        ("news:9", 3),
        ("https://news.example/9", 3),
    ],
)
def test_a_story_is_found_by_what_a_person_calls_it(named: Stories, ref: str, number: int) -> None:
    assert named.resolve(ref).id == number


@pytest.mark.parametrize("ref", ["9", "https://else.example/9"])
def test_a_name_that_means_several_stories_lists_them(named: Stories, ref: str) -> None:
    with pytest.raises(UsageError, match="2 stories") as caught:
        named.resolve(ref)
    assert "#4 (hn)" in str(caught.value)
    assert "#ID" in caught.value.hint


@pytest.mark.parametrize("ref", ["#99", "99", "nothing", "hn:77", "", "#", "https://nowhere.example/"])
def test_a_name_that_means_no_story_says_so(named: Stories, ref: str) -> None:
    with pytest.raises(UsageError, match="no story is known"):
        named.resolve(ref)


def test_stories_are_listed_newest_first_and_narrowed(database: Database, clock: FixedClock) -> None:
    stories = Stories(database)
    for n, section in enumerate(["World", "Sport", "World"]):
        dated = dataclasses.replace(
            draft(f"{n}", title=f"Ünder 100% {n}"), section=section, published=clock.now() - n * DAY
        )
        stories.import_drafts("a" if n else "b", [dated], seen=clock.now())
    assert [s.id for s in stories.list_()] == [1, 2, 3]
    assert [s.id for s in stories.list_(section="World")] == [1, 3]
    assert [s.id for s in stories.list_(source_name="a", limit=1)] == [2]
    assert [s.id for s in stories.list_(since=clock.now() - DAY, before=clock.now())] == [2]
    assert [s.id for s in stories.list_(search="100% 2")] == [3]
    assert stories.list_(search="1_0") == []
    assert set(stories.get_many([1, 3, 99])) == {1, 3}
    with pytest.raises(UsageError, match="no story #99"):
        stories.get(99)


def test_media_are_kept_by_their_content(database: Database) -> None:
    stories = Stories(database)
    name = stories.put_media(b"\x89PNG\x00", "image/png")
    assert stories.put_media(b"\x89PNG\x00", "image/png") == name
    assert stories.media(name) == (b"\x89PNG\x00", "image/png")
    assert stories.media("0" * 64) is None
