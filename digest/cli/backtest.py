"""`digest backtest`: how well past lists would have found what was read most in the end. Changes nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import pass_app
from digest.cli.output import json_option, print_json, progress, say, table

if TYPE_CHECKING:
    from digest.app import App
    from digest.work.backtest import Backtest


@click.command(
    epilog="""\b
    Examples:
      digest backtest weekly
      digest backtest weekly --weeks 12 --svg backtest.svg
      digest backtest weekly --json"""
)
@click.argument("newsletter", metavar="NEWSLETTER")
@click.option("--weeks", type=click.IntRange(1, 5200), help="How far back; all that is known, if not given.")
@click.option(
    "--svg",
    "svg",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also draw the comparison, for light and dark pages.",
)
@json_option
@pass_app
def command(app: App, *, newsletter: str, weeks: int | None, svg: Path | None, as_json: bool) -> None:
    """Rank each past period as at its end, and hold that against what was read most in the end.

    For raw counts and for each way of ranking: nDCG@10 (1 is the perfect list), its difference to the raw
    counts with the middle 95 % of a paired bootstrap, how many of the true ten were chosen, how many of the
    ten are from the last day, and how many repeat another. Periods of which too little is known afterwards
    are left out and named. Exit code 3 when none is left.
    """
    from digest.cli.plot import drawn  # noqa: PLC0415 - quick start-up
    from digest.work.backtest import backtest  # noqa: PLC0415

    app.newsletter(newsletter)
    with progress(f"Judging past periods of {newsletter}") as bar:
        found = backtest(app, newsletter, weeks=weeks, progress=bar)
    if svg is not None:
        svg.write_text(drawn(found), encoding="utf-8")
    if as_json:
        print_json(_document(found))
    else:
        _show(found)
        if svg is not None:
            say(f"Drawn: {svg}")


def _document(found: Backtest) -> dict[str, Any]:
    """The shape that scripts rely on: keys are added, never renamed."""
    return {
        "newsletter": found.newsletter,
        "metric": found.metric,
        "periods": found.periods,
        "left_out": [{"period": period, "reason": reason} for period, reason in found.left_out.items()],
        "late_in_the_end": found.late_in_the_end,
        "ways": [
            {
                "name": way.name,
                "ndcg": way.ndcg,
                "difference": way.difference,
                "low": way.low,
                "high": way.high,
                "overlap": way.overlap,
                "late": way.late,
                "repeated": way.repeated,
                "each": way.each,
            }
            for way in found.ways
        ],
    }


def _show(found: Backtest) -> None:
    table(
        ("Way", "nDCG@10", "Against raw counts (95 %)", "Overlap@10", "From the last day", "Repeats"),
        [
            (
                way.name,
                f"{way.ndcg:.3f}",
                f"{way.difference:+.3f} [{way.low:+.3f}, {way.high:+.3f}]",
                f"{way.overlap:.0%}",
                f"{way.late:.0%}",
                f"{way.repeated:.1%}",
            )
            for way in found.ways
        ],
        title=f"{found.newsletter}: {len(found.periods)} periods from {found.periods[0]} to "
        f"{found.periods[-1]}, by {found.metric}",
    )
    say(f"In the end {found.late_in_the_end:.0%} of the ten read most were from the last day of a period.")
    if found.left_out:
        reasons = Counter(found.left_out.values()).most_common()
        say(
            "Left out: "
            + "; ".join(f"{count} period{'s' if count > 1 else ''}, {reason}" for reason, count in reasons)
        )
