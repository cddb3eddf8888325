"""Compares what a re-scoring finds with the tables of a scenario, which stand below what happened.

    changed          | who | rule    | before                     | after                | cause
    2026-03-02 10:00 | ann | base    | +12 until 2026-04-01 00:00 | +24 until never      | direct
    2026-03-05 10:00 | ann | base    | +3                         | nothing              | knock_on
    2026-03-20       | ann | expired | -12                        | -24                  | expiry

    who   | lines | balance before | balance after
    ann   | 2     | 36             | 48
    total | 2     | 36             | 48

Rows stand in the order in which the facts came; what expired comes last, by its local day. `until` and a reason behind
`nothing:` are looked at where they are written. Members have a row if they are told, the total is of all accounts.
"""

from datetime import date, timedelta

from processors.replay.rescore.differences import Cause, LineDifference, MemberDifference
from tests.scenarios.reading import Scenario

LINES = ["changed", "who", "rule", "before", "after", "cause"]
MEMBERS = ["who", "lines", "balance before", "balance after"]
TOTAL = "total"


def tables_of(scenario: Scenario) -> tuple[list[list[str]], list[list[str]]]:
    """The rows of both tables.

    Raises:
        ValueError: if they do not begin as they must.
    """
    rows = [cells for _, cells in scenario.changes]
    if LINES not in rows or MEMBERS not in rows:
        raise ValueError(f"{scenario.title}: no table `{' | '.join(LINES)}` and `{' | '.join(MEMBERS)}`")
    split = rows.index(MEMBERS)
    for where, cells in scenario.changes[1:split]:
        if len(cells) != len(LINES):
            raise ValueError(f"{where}: a row has six cells: {' | '.join(LINES)}")
    return rows[1:split], rows[split + 1 :]


def line_as_written(scenario: Scenario, line: LineDifference, written: list[str]) -> list[str]:
    """A line that differs, worded like the row that stands for it and as closely."""
    if line.cause == Cause.EXPIRY:
        day = "" if line.local_day is None else f"{date(1970, 1, 1) + timedelta(days=line.local_day)}"
        points = [f"{each:+}" if each else "nothing" for each in (line.points_before, line.points_after)]
        return [day, line.member_id, "expired", *points, str(line.cause)]
    before = _award(scenario, line.points_before, line.expires_before, line.reason_before, written[3])
    after = _award(scenario, line.points_after, line.expires_after, line.reason_after, written[4])
    return [scenario.local(line.occurred_at), line.member_id, line.rule_id, before, after, str(line.cause)]


def _award(scenario: Scenario, points: int, expires_at: int | None, reason: str, written: str) -> str:
    if not points:
        return f"nothing: {reason}" if ":" in written and "until" not in written else "nothing"
    if " until " not in written:
        return f"{points:+}"
    return f"{points:+} until {'never' if expires_at is None else scenario.local(expires_at)}"


def wrong_in(
    scenario: Scenario, lines: list[LineDifference], members: list[MemberDifference], before: int, after: int
) -> list[str]:
    """What was found and not expected, and the other way round; `before` and `after` are the sums of all balances."""
    expected_lines, expected_members = tables_of(scenario)
    wrong = []
    if len(lines) != len(expected_lines):
        wrong.append(f"expected {len(expected_lines)} lines that differ, came {len(lines)}: {lines}")
    for line, row in zip(lines, expected_lines, strict=False):
        came = line_as_written(scenario, line, row)
        wrong += [] if came == row else [f"expected {' | '.join(row)}, came {' | '.join(came)}"]
    told = [[m.member_id, str(m.lines), str(m.balance_before), str(m.balance_after)] for m in members]
    told.append([TOTAL, str(len(lines)), str(before), str(after)])
    if told != expected_members:
        wrong.append(f"expected the members {expected_members}, came {told}")
    return wrong
