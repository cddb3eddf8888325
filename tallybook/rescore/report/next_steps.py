"""Says what must not be concluded from a report, and what may be done now: what only reads, and what members feel."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import msgspec

from processors.replay.rescore.differences import MemberDifference
from tallybook.rescore.plan import Plan
from tallybook.rescore.summary import Summary


class Command(msgspec.Struct, frozen=True):
    """Something that may be done now, and what to type for it."""

    purpose: str
    line: str


def not_said(plan: Plan, found: Summary) -> list[str]:
    """What the figures do not say, a sentence or two each."""
    said = [
        "It is no forecast. What members did is taken as it was; under other rules they might have shopped otherwise.",
        (
            "Nothing of it can be collected by publishing the draft: published rules hold from a day to come, and the "
            "points that members have by then stay theirs. What publishing saves, or costs, comes only with what "
            "members do from that day on."
        ),
        (
            "Points that members have spent are not in it: the books hold what was earned and what expired. The "
            "liability is therefore the most that could still be used."
        ),
        f"What came into the books after this run began is not in it.{_not_everybody(plan)}",
    ]
    if found.point_value:
        said.append(
            "Money is points times the value of a point that was given; points that are never used cost nothing."
        )
    return said


def _not_everybody(plan: Plan) -> str:
    return "" if plan.selection.is_everybody else " Nor are the members who were not chosen."


def reading_commands(found: Summary) -> list[Command]:
    """What changes nothing for any member."""
    run, draft = found.run, found.draft
    query = f"SELECT * FROM rescore_by_store WHERE run = '{run}' AND draft = '{draft}'"
    most: Sequence[MemberDifference] = found.losers or found.winners
    purpose = (
        "See why one member has more or less, fact by fact under both rules (any member's id may stand at the end)"
    )
    why = [Command(purpose, _why(found, most[0].member_id))] if most else []
    return [
        *why,
        Command(
            "Take all differences into a spreadsheet",
            f"tallybook rescore export {run} --draft {draft} --csv --output differences.csv",
        ),
        Command("Ask by store (or day, rule, reason)", f'tallybook sql "{query}"'),
        Command("Try other rules, or another day", "tallybook rescore run --rules FILE --from DATE"),
        Command("Throw this trial away; the books stay as they are", f"tallybook rescore discard {run}"),
    ]


def publishing_command() -> Command:
    """What changes what members get."""
    return Command(
        "Publish rules: they decide for good what members get for what they do from that day on; points that members "
        "have already stay theirs",
        "tallybook rules publish FILE --effective-from DATE",
    )


def _why(found: Summary, member_id: str) -> str:
    dashes = "-- " if member_id.startswith("-") else ""
    return f"tallybook rescore why --draft {found.draft} {dashes}{found.run} {shlex.quote(member_id)}"
