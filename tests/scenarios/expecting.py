"""What a scenario may expect of a posting, in words separated by `;`.

    +12 base                         an award by the rule `base`; `+12 base until 2026-04-01 00:00`, `… until never`
    -12 expired                      an expiry; `-12 expired at 2026-04-01 00:00`
    limit_reached                    the reason why the fact earned nothing
    late                             it came after something later
    balance 12                       the points after it
    day 3                            the run of check-in days that ends on this one
    keeps from 2026-03-01 with 4     the oldest check-in day kept in memory, and the run that ends on it
    rules 2                          the version in force
    purchase 1, claim 2              the rank of the purchase, of the claim that it opened
    owes 2                           the facts it has to tell
    settles bob/1                    the claim that it paid for
    charges reviews 50               a limit that it was charged to (`charges reviews 50 in week:2026-03-02`)
    earned 12 this week              gross points of the period (day, week, month, year, ever); `… this week in s1`

Entries, reason and `late` must be all that there is; the rest is looked at where it is written.
"""

import re
from collections.abc import Callable
from datetime import date

from schemas.posting import EntryType, Posting, Reason
from tests.scenarios.reading import Scenario

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d\.\d{3})?(?: 2nd)?"
AWARD = re.compile(rf"\+([\d_]+) ([a-z0-9._-]+)(?: until ({TIME}|never))?")
EXPIRY = re.compile(rf"-([\d_]+) expired(?: at ({TIME}))?")
CHARGE = re.compile(r"charges ([a-z0-9._-]+) ([\d_]+)(?: in (\S+))?")
EARNED = re.compile(r"earned ([\d_]+) this (day|week|month|year)(?: in (\S+))?|earned ([\d_]+) (ever)(?: in (\S+))?")
KEEPS = re.compile(r"keeps from (\S+) with (\d+)")
REASONS = {str(reason) for reason in Reason}
NUMBERS: dict[str, Callable[[Posting], object]] = {
    "balance": lambda posting: posting.balance,
    "day": lambda posting: posting.day_held and posting.day_held.run_length,
    "purchase": lambda posting: posting.purchase_rank,
    "claim": lambda posting: posting.claim_opened,
    "owes": lambda posting: len(posting.owed),
}


def check(scenario: Scenario, posting: Posting, text: str) -> list[str]:
    """What is not as expected, in words; empty if all is well.

    Raises:
        ValueError: if the words are none that a scenario knows.
    """
    wrong: list[str] = []
    entries: list[tuple[str, str]] = []
    reason: str | None = None
    is_late = False
    for words in (part.strip() for part in text.split(";")):
        if words == "late":
            is_late = True
        elif words in REASONS:
            reason = words
        elif entry := AWARD.fullmatch(words):
            entries.append((words, _award_as_written(scenario, posting, len(entries), entry)))
        elif entry := EXPIRY.fullmatch(words):
            entries.append((words, _expiry_as_written(scenario, posting, len(entries), entry)))
        else:
            wrong += _effect(posting, words)
    wrong += [f"expected {written}, came {came}" for written, came in entries if written != came]
    if len(entries) != len(posting.entries):
        wrong.append(f"expected {len(entries)} entries, came {len(posting.entries)}")
    if reason != posting.reason:
        wrong.append(f"expected the reason {reason}, came {posting.reason}")
    if is_late != posting.late:
        wrong.append("it was not late" if is_late else "it was late")
    return wrong


def _award_as_written(scenario: Scenario, posting: Posting, at: int, written: re.Match[str]) -> str:
    """The entry at a place of the posting, worded like the expectation and as closely."""
    if at >= len(posting.entries) or posting.entries[at].type != EntryType.POINTS_AWARDED:
        return "no award"
    entry = posting.entries[at]
    text = f"+{entry.points:{'_' if '_' in written[1] else ''}} {entry.rule_id}"
    if written[3] is None:
        return text
    return f"{text} until {'never' if entry.expires_at is None else scenario.local(entry.expires_at)}"


def _expiry_as_written(scenario: Scenario, posting: Posting, at: int, written: re.Match[str]) -> str:
    if at >= len(posting.entries) or posting.entries[at].type != EntryType.POINTS_EXPIRED:
        return "no expiry"
    entry = posting.entries[at]
    text = f"{entry.points:{'_' if '_' in written[1] else ''}} expired"
    return text if written[2] is None else f"{text} at {scenario.local(entry.effective_at)}"


def _effect(posting: Posting, words: str) -> list[str]:
    name, _, rest = words.partition(" ")
    if name in NUMBERS and rest.replace("_", "").isdigit():
        came = NUMBERS[name](posting)
        return [] if came == int(rest) else [f"expected {words}, came {came}"]
    if name == "rules":
        return [] if posting.ruleset_version == rest else [f"expected {words}, came {posting.ruleset_version}"]
    if name == "settles":
        return [] if posting.claim_paid == rest else [f"expected {words}, came {posting.claim_paid}"]
    if charge := CHARGE.fullmatch(words):
        charged = {(c.limit_id, c.amount) for c in posting.charges} | {
            (c.limit_id, c.amount, c.window) for c in posting.charges
        }
        wanted = (charge[1], int(charge[2])) if charge[3] is None else (charge[1], int(charge[2]), charge[3])
        return [] if wanted in charged else [f"expected {words}, came {posting.charges}"]
    if earned := EARNED.fullmatch(words):
        points, period, store = earned[1] or earned[4], earned[2] or earned[5], earned[3] or earned[6]
        totals = {total.scope: getattr(total, f"earned_{period}") for total in posting.totals}
        return [] if totals.get(store or "") == int(points) else [f"expected {words}, came {posting.totals}"]
    if keeps := KEEPS.fullmatch(words):
        kept_from = (date.fromisoformat(keeps[1]) - date(1970, 1, 1)).days
        held = posting.day_held
        kept = held is not None and (held.kept_from, held.kept_run) == (kept_from, int(keeps[2]))
        return [] if kept else [f"expected {words}, came {held}"]
    raise ValueError(f"nothing that can be expected: {words}")
