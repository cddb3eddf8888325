"""Says in words what differs between the present rules and a draft, and what follows from it for one rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Final

import msgspec

from processors.decider.kinds.fixed import FixedRule
from processors.decider.kinds.multiplier import MultiplierRule
from processors.decider.kinds.referral import ReferralRule
from processors.decider.kinds.registry import Rule
from processors.decider.kinds.spend import SpendRule
from processors.decider.kinds.streak import StreakRule
from processors.decider.rules.ruleset import Ruleset
from processors.decider.rules.timeline import RuleTimeline
from processors.replay.rescore.terms import terms_of
from schemas.facts import RulesetPublished
from tallybook.folder.folder import load_published
from tallybook.rescore.plan import Draft
from tallybook.rescore.report.rule_words import (
    GIVING,
    ROUNDED,
    STACKED,
    conditions_words,
    described,
    expiry_words,
    field_words,
    gives,
    limit_words,
    limits_of,
    listed,
    quoted,
)
from tallybook.screen import counted

MAX_CHANGES: Final = 30  # told of one pair of rulesets; the others are counted
_UNTOLD: Final = "other values, too many to be shown here"
_DEFAULTS: Final = ("rounding", "expiry")  # where a rule has none of its own, the programme's holds


class Change(msgspec.Struct, frozen=True):
    """One thing that differs: what it is about, and what is said of it."""

    about: str
    said: str


class Compared(msgspec.Struct, frozen=True):
    """Two publications in force at the same time (UTC ms, half-open), and what differs; `rest` tells what does not.

    `present` is None where no rules were in force.
    """

    from_at: int
    until_at: int
    present: RulesetPublished | None
    draft: RulesetPublished
    changes: tuple[Change, ...] = ()
    rest: str = ""


def compare_rules(present: RuleTimeline, draft: Draft, last_tick: int) -> list[Compared]:
    """What a draft changes from its first span on, a part for each time in which other rules meet."""
    found: list[Compared] = []
    for from_at, until_at, published in _times(present, draft, last_tick):
        now = present.at(from_at)
        last = found[-1] if found else None
        if last is not None and (last.until_at, last.present, last.draft) == (from_at, now, published):
            found[-1] = msgspec.structs.replace(last, until_at=until_at)
            continue
        changes, rest = _differences(now, published)
        found.append(Compared(from_at, until_at, now, published, changes, rest))
    return found


def _times(present: RuleTimeline, draft: Draft, last_tick: int) -> Iterator[tuple[int, int, RulesetPublished]]:
    """The times in which a draft's spans hold, cut where the present rules change; up to the last tick."""
    changes = sorted(at for at, _ in present.changes())
    for span in draft.layers[-1].spans:
        ends = last_tick if span.until_at is None else min(span.until_at, last_tick)
        starts = [span.from_at, *(at for at in changes if span.from_at < at < ends)]
        for from_at, until_at in zip(starts, [*starts[1:], ends], strict=True):
            yield from_at, until_at, span.published


def _differences(now: RulesetPublished | None, tried: RulesetPublished) -> tuple[tuple[Change, ...], str]:
    draft = load_published(tried.text)
    if now is None:
        changes = [Change(quoted(rule.id), f"new; {described(rule, draft)}.") for rule in draft.rules]
        return _bounded(changes), "No rules were in force then: all of the draft is new."
    present = load_published(now.text)
    changes = [*_of_rules(present, draft), *_of_limits(present, draft), *_of_all(now, tried, present, draft)]
    return _bounded(changes), _rest(now, tried, present, draft)


def _bounded(changes: Sequence[Change]) -> tuple[Change, ...]:
    if len(changes) <= MAX_CHANGES:
        return tuple(changes)
    left = len(changes) - MAX_CHANGES
    return (*changes[:MAX_CHANGES], Change("More", f"{counted(left, 'other difference')}; compare the two files."))


def _of_rules(present: Ruleset, draft: Ruleset) -> Iterator[Change]:
    before, after = ({rule.id: rule for rule in each.rules} for each in (present, draft))
    for name, rule in after.items():
        old = before.get(name)
        if old is not None and old != rule:
            yield from _of_rule(old, rule, present, draft)
    for name, rule in before.items():
        if name not in after:
            yield Change(quoted(name), f"removed; now {described(rule, present)}.")
    for name, rule in after.items():
        if name not in before:
            yield Change(quoted(name), f"new; {described(rule, draft)}.")


def _of_rule(old: Rule, new: Rule, present: Ruleset, draft: Ruleset) -> Iterator[Change]:
    """Every field that says something else: those of GIVING together, each other one by itself."""
    if type(old) is not type(new):
        yield Change(quoted(new.id), f"{described(new, draft)} instead of {described(old, present)}.")
        return
    differ = [name for name in type(new).model_fields if getattr(new, name) != getattr(old, name)]
    told = []
    if GIVING & set(differ):
        told.append(_instead(gives(new, draft), gives(old, present)))
    for name in differ:
        if name not in GIVING:
            about, said = field_words(new, name, draft)
            _, was = field_words(old, name, present)
            if said != was or name not in _DEFAULTS:
                told.append(f"{about}: {_instead(said, was)}")
    if told:
        limits = [limit for limit in limits_of(new, draft) if limit in limits_of(old, present)]
        kept = f" Its limit stays: {listed(map(limit_words, limits))}." if limits and "limits" not in differ else ""
        yield Change(quoted(new.id), f"{'; '.join(told)}.{kept}")


def _instead(said: str, was: str) -> str:
    return _UNTOLD if said == was else f"{said} instead of {was}"


def _of_limits(present: Ruleset, draft: Ruleset) -> Iterator[Change]:
    before, after = ({limit.id: limit for limit in each.limits} for each in (present, draft))
    for name in dict.fromkeys([*after, *before]):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        about = f"Limit {quoted(name)}"
        cut = listed(quoted(rule.id) for rule in draft.rules if new in limits_of(rule, draft))
        whom = f" It cuts {cut}." if cut else ""
        if new is None and old is not None:
            yield Change(about, f"removed; now {limit_words(old)}.")
        elif new is not None and old is None:
            yield Change(about, f"new; {limit_words(new)}.{whom}")
        elif new is not None and old is not None:
            yield Change(about, f"{_instead(limit_words(new), limit_words(old))}.{whom}")


def _of_all(now: RulesetPublished, tried: RulesetPublished, present: Ruleset, draft: Ruleset) -> Iterator[Change]:
    """What holds for every rule that says nothing else."""
    pairs = [
        ("Points expire", expiry_words(draft.expiry), expiry_words(present.expiry)),
        ("Rounding", ROUNDED[draft.rounding], ROUNDED[present.rounding]),
        ("Several multipliers are", STACKED[draft.stacking], STACKED[present.stacking]),
        ("Currency", draft.currency, present.currency),
        ("Time zone", draft.timezone, present.timezone),
        ("Behaviour of the decider", f"{tried.semantics}", f"{now.semantics}"),
    ]
    for about, said, was in pairs:
        if said != was:
            yield Change(about, f"{said} instead of {was}.")
    if present.exclude_lines != draft.exclude_lines:
        said, was = (conditions_words(each.exclude_lines, each, "none") for each in (draft, present))
        yield Change("Lines of a purchase that never count", f"{_instead(said, was)}.")
    if draft.timezone == present.timezone and tried.tzif != now.tzif:
        yield Change("Time zone", f"other data of {draft.timezone} (when its clocks change).")


def _rest(now: RulesetPublished, tried: RulesetPublished, present: Ruleset, draft: Ruleset) -> str:
    """Which rules are the same, and which are only said in the same words."""
    before, after = (terms_of(each, load_published).of_rule for each in (now, tried))
    rules = {rule.id: rule for rule in present.rules}
    alike = [rule for rule in draft.rules if rules.get(rule.id) == rule]
    touched = [rule.id for rule in alike if rule.id in after and before[rule.id] != after[rule.id]]
    same = len(alike) - len(touched)
    said = []
    if touched:
        said.append(f"This also moves rules whose own words stay the same: {listed(map(quoted, touched))}.")
    if not same:
        return " ".join(said)
    if same == len(draft.rules) == len(present.rules):
        what = "All rules"
    else:
        what = f"The other {counted(same, 'rule')}" if same > 1 else "The other rule"
    parts = [what]
    if draft.limits and draft.limits == present.limits:
        parts.append("all limits")
    if draft.expiry == present.expiry:
        parts.append("the expiry of points")
    verb = "is" if parts == ["The other rule"] else "are"
    return " ".join([*said, f"{listed(parts)} {verb} the same in both."])


class RuleFacts(msgspec.Struct, frozen=True):
    """What both sides say of one rule, where it is the same at all times; "" where it is not, None without the rule.

    `changed` are the parts of it that differ beside what it gives. `limits` are those that cut it on both sides, in
    words; `memory` says what else it knows of a member. `moves` says that the draft gives more (1) or less (-1) for the
    same fact before limits cut it, as everything else is the same; 0 where that cannot be told.
    """

    present: str | None
    draft: str | None
    changed: tuple[str, ...] = ()
    limits: str = ""
    memory: str = ""
    moves: int = 0


def facts_of_rules(compared: Sequence[Compared], present: RuleTimeline) -> dict[str, RuleFacts]:
    """What both sides say of each rule."""
    pairs = [
        (None if each.present is None else load_published(each.present.text), load_published(each.draft.text))
        for each in compared
    ]
    # What happened outside the draft's time meets the other present rules, in accounts that are other ones by then.
    rulesets = [load_published(published.text) for _, published in present.changes() if published is not None]
    rulesets += [draft for _, draft in pairs]
    names = dict.fromkeys(rule.id for ruleset in rulesets for rule in ruleset.rules)
    found = {name: _facts_of(name, pairs, rulesets) for name in names}
    if all(each.present is None or _around(each.present) == _around(each.draft) for each in compared):
        return found
    return {name: msgspec.structs.replace(facts, moves=0) for name, facts in found.items()}


def _around(published: RulesetPublished) -> tuple[object, ...]:
    """What decides beside the text of the rules."""
    return published.semantics, published.tzif


def _facts_of(name: str, pairs: Sequence[tuple[Ruleset | None, Ruleset]], rulesets: Sequence[Ruleset]) -> RuleFacts:
    before, after = ([_said_of(name, pair[side]) for pair in pairs] for side in (0, 1))
    found = [(rule, ruleset) for ruleset in rulesets if (rule := _rule(name, ruleset)) is not None]
    limits = {_limits_said(rule, ruleset) for rule, ruleset in found}
    moves = {_moves(name, present, draft) for present, draft in pairs}
    return RuleFacts(
        present=before[0] if len(set(before)) == 1 else "",
        draft=after[0] if len(set(after)) == 1 else "",
        changed=tuple(dict.fromkeys(part for present, draft in pairs for part in _changed(name, present, draft))),
        limits=limits.pop() if len(limits) == 1 else "",
        memory=next((said for rule, _ in found if (said := _memory(rule))), ""),
        moves=moves.pop() if len(moves) == 1 else 0,
    )


def _memory(rule: Rule) -> str:
    """How an account may have been another for a rule, beside its limits."""
    if isinstance(rule, StreakRule):
        return "the member's run of days with a check-in was another"
    return "the referral was settled before on one side alone" if isinstance(rule, ReferralRule) else ""


def _rule(name: str, ruleset: Ruleset) -> Rule | None:
    return next((rule for rule in ruleset.rules if rule.id == name), None)


def _said_of(name: str, ruleset: Ruleset | None) -> str | None:
    rule = None if ruleset is None else _rule(name, ruleset)
    return None if rule is None or ruleset is None else gives(rule, ruleset)


def _limits_said(rule: Rule, ruleset: Ruleset) -> str:
    named = [f"{quoted(limit.id)} ({limit_words(limit)})" for limit in limits_of(rule, ruleset)]
    return f"the limit {named[0]}" if len(named) == 1 else f"one of the limits {listed(named)}" if named else ""


def _changed(name: str, present: Ruleset | None, draft: Ruleset) -> list[str]:
    """The parts of a rule that both sides have and say otherwise, beside what it gives."""
    old, new = None if present is None else _rule(name, present), _rule(name, draft)
    if present is None or old is None or new is None:
        return []
    before, after = _parts(old, present), _parts(new, draft)
    return [part for part, said in after.items() if before[part] != said]


def _parts(rule: Rule, ruleset: Ruleset) -> dict[str, object]:
    """What decides the points of a rule beside what it gives, its own and the programme's."""
    multipliers = [
        other
        for other in ruleset.rules
        if isinstance(other, MultiplierRule) and rule in other.multiplied(ruleset.rules)
    ]
    elsewhere = GIVING | {"id", "limits", *_DEFAULTS}
    return {
        "the conditions": [getattr(rule, field) for field in type(rule).model_fields if field not in elsewhere],
        "the limits": limits_of(rule, ruleset),
        "the multipliers": (multipliers, ruleset.stacking if len(multipliers) > 1 else None),
        "the rounding": getattr(rule, "rounding", None) or ruleset.rounding,
        "the expiry": getattr(rule, "expiry", None) or ruleset.expiry,
        "the lines that count": ruleset.exclude_lines,
        "the currency": ruleset.currency,
        "the time zone": ruleset.timezone,
    }


def _moves(name: str, present: Ruleset | None, draft: Ruleset) -> int:
    """Whether a rule gives more or less by its rate alone: all else that decides its points is the same."""
    old, new = None if present is None else _rule(name, present), _rule(name, draft)
    if old is None or new is None or type(old) is not type(new):
        return 0
    before, after = _rate(old), _rate(new)
    differ = {field for field in GIVING & set(type(new).model_fields) if getattr(new, field) != getattr(old, field)}
    if before is None or after is None or not differ <= {"points", "per_minor", "daily"}:
        return 0
    if set(_changed(name, present, draft)) - {"the expiry"}:
        return 0
    return (after > before) - (after < before)


def _rate(rule: Rule) -> Fraction | None:
    """Points for each of what a rule counts; None where more than one number says it."""
    if isinstance(rule, SpendRule):
        return Fraction(rule.points) / rule.per_minor
    if isinstance(rule, FixedRule):
        return Fraction(rule.points)
    return Fraction(rule.daily) if isinstance(rule, StreakRule) else None
