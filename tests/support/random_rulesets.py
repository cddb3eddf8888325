"""Random rulesets as the YAML text that a person would write: every kind of rule, few names, so that they collide."""

import json
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from random import Random
from typing import Any

from processors.zones import zone_data
from tests.reference.local_time import DAY_MS, HOUR_MS, clock_changes, day_of, zone_from

# Clock changes at 2 and 1 o'clock, at midnight (skipped, or repeated), by half an hour, odd offsets, and none at all.
ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/Havana",
    "Atlantic/Azores",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Pacific/Chatham",
    "UTC",
)
STORES = ("s1", "s2", "")
SKUS = ("A", "B", "C")
TEXTS: dict[str, tuple[str, ...]] = {
    "store_id": STORES,
    "channel": ("web", "app", ""),
    "tender": ("cash", "card", ""),
    "sku": SKUS,
    "category": ("food", "gift-card", ""),
    "brand": ("acme", "other"),
    "network": ("here", "there"),
    "content_id": ("c1", "c2"),
}
NUMBERS: dict[str, tuple[int, ...]] = {
    "amount_minor": (0, 99, 100, 250, 1000, 2000),
    "quantity_milli": (0, 500, 1000, 3000),
    "rating": (1, 4, 5),
    "text_length": (0, 79, 80, 200),
    "media_count": (0, 1, 2),
}
ATTRIBUTES: dict[str, tuple[str, ...]] = {"tier": ("", "gold", "silver"), "season": ("", "summer")}
WHEN_FIELDS: dict[str, tuple[str, ...]] = {
    "purchase": ("store_id", "channel", "tender", "amount_minor", "quantity_milli", "attributes"),
    "check_in": ("store_id", "channel", "attributes"),
    "share": ("network", "content_id", "sku", "store_id", "channel", "attributes"),
    "review": ("sku", "rating", "text_length", "media_count", "store_id", "channel", "attributes"),
    "referral": (),
}
LINE_FIELDS = ("sku", "category", "brand", "amount_minor", "quantity_milli")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ROUNDINGS = ("floor", "ceil", "half_up", "half_even")
LIMIT_IDS = {
    None: ("all-a", "all-b", "all-c"),
    "store_id": ("store-a", "store-b"),
    "sku": ("sku-a", "sku-b"),
    "order": ("order-a", "order-b"),
}
EACH_OF = {"purchase": ("order",), "share": ("sku",), "review": ("sku",)}
PERIODS = ("day", "week", "month", "year", "lifetime")
# A limit mostly keeps its period from version to version, so that its counter goes on.
USUAL_PERIODS = {"a": "week", "b": "month", "c": "lifetime"}
LIMIT_POINTS = (3, 10, 25, 60)
MAX_RULES = 8
MAX_MULTIPLIERS = 3


tzif_of = cache(zone_data)


class Plain(str):
    """Text that stands in the YAML without quotes: a number, a date, a word."""

    __slots__ = ()


def flow(value: Any) -> str:
    """A value in YAML flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(held)}" for key, held in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Plain):
        return str(value)
    return json.dumps(value)


def block(document: dict[str, Any]) -> str:
    """The document in YAML, one setting or list item a line."""
    lines = []
    for key, value in document.items():
        if isinstance(value, list) and value:
            lines.append(f"{key}:")
            lines += [f"  - {flow(item)}" for item in value]
        else:
            lines.append(f"{key}: {flow(value)}")
    return "\n".join(lines) + "\n"


@dataclass
class RulesetMaker:
    """Draws one ruleset around a day on which the history begins; `theme` makes one kind of rule certain."""

    rng: Random
    zone: str
    start: date
    version: str
    theme: str
    limits: dict[str, dict[str, Any]] = field(default_factory=dict)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def document(self) -> dict[str, Any]:
        """The ruleset; `block` makes it YAML."""
        rng = self.rng
        document: dict[str, Any] = {
            "programme": "random",
            "version": self.version,
            "timezone": Plain(self.zone),
            "currency": Plain("EUR"),
        }
        if self.chance(0.6):
            document["rounding"] = Plain(rng.choice(ROUNDINGS))
        if self.chance(0.7):
            document["stacking"] = Plain(rng.choice(("multiply", "add", "best")))
        if self.chance(0.6) or self.theme in ("expiry", "huge"):
            document["expiry"] = self.expiry()
        if self.chance(0.2):
            document["exclude_lines"] = {"category": ["gift-card"]} if self.chance(0.7) else self.lines()
        rules = self.rules()
        document["limits"] = list(self.limits.values())
        document["rules"] = rules
        document["examples"] = []
        return document

    def edited(self, document: dict[str, Any]) -> dict[str, Any]:
        """The next version of a ruleset, as people make one: the same, with some numbers changed."""
        changed = deepcopy(document) | {"version": self.version, "timezone": Plain(self.zone)}
        for limit in changed["limits"]:
            if "points" in limit and self.chance(0.8):
                limit["points"] = self.rng.choice((1, *LIMIT_POINTS))
        for rule in changed["rules"]:
            if rule["kind"] == "streak":
                rule["grace_days"] = self.rng.choice((0, 1, 2, 6))
            elif rule["kind"] == "multiplier":
                rule["factor"] = self.decimal("2", "1.5", "0.75")
            elif self.chance(0.3):
                rule["rounding"] = Plain(self.rng.choice(ROUNDINGS))
        return changed

    # ------------------------------------------------------------------------------------------------ pieces

    def decimal(self, *choices: str) -> Plain:
        return Plain(self.rng.choice(choices))

    def text_condition(self, values: tuple[str, ...]) -> Any:
        kind = self.rng.randrange(4)
        if kind == 0:
            return {"not_in": [self.rng.choice(values)]}
        if kind == 1:
            return self.rng.sample(values, min(2, len(values)))
        return self.rng.choice(values)

    def number_condition(self, values: tuple[int, ...]) -> Any:
        kind = self.rng.randrange(5)
        if kind == 0:
            return self.rng.choice(values)
        if kind == 1:
            low, high = sorted((self.rng.choice(values), self.rng.choice(values)))
            return {"min": low, "max": high}
        return {"min": values[1]} if kind < 4 else {"max": values[-2]}

    def conditions(self, names: tuple[str, ...]) -> dict[str, Any]:
        chosen = self.rng.sample(names, min(len(names), self.rng.choice((1, 1, 1, 2))))
        made: dict[str, Any] = {}
        for name in chosen:
            if name == "attributes":
                key = self.rng.choice(tuple(ATTRIBUTES))
                made[name] = {key: self.text_condition(ATTRIBUTES[key])}
            elif name in NUMBERS:
                made[name] = self.number_condition(NUMBERS[name])
            else:
                made[name] = self.text_condition(TEXTS[name])
        return made

    def lines(self) -> dict[str, Any]:
        return self.conditions(LINE_FIELDS)

    def active(self) -> dict[str, Any]:
        rng = self.rng
        made: dict[str, Any] = {}
        choice = rng.randrange(8)
        if choice in (0, 6):
            begin = self.start + timedelta(days=rng.randrange(-3, 10))
            made["from"] = self.local(begin)
            made["until"] = self.local(begin + timedelta(days=rng.randrange(1, 12)))
        elif choice in (1, 7):
            made[rng.choice(("from", "until"))] = self.local(self.start + timedelta(days=rng.randrange(0, 8)))
        elif choice == 2:
            made["weekdays"] = [Plain(day) for day in rng.sample(WEEKDAYS, rng.randrange(1, 6))]
        elif choice == 3:
            made["days_of_month"] = sorted(rng.sample(range(1, 32), 12))
        elif choice == 4:
            days = [self.start + timedelta(days=rng.randrange(0, 6)) for _ in range(3)]
            made["dates"] = sorted({f"{day:%m-%d}" for day in days})
        else:
            begin_hour, end_hour = rng.sample(range(24), 2)
            made["hours"] = {"from": f"{begin_hour:02}:{rng.choice((0, 30)):02}", "until": f"{end_hour:02}:00"}
        return made

    def local(self, day: date) -> Plain:
        changes = clock_changes(tzif_of(self.zone), self.midnight_utc(), self.midnight_utc() + 40 * DAY_MS)
        if changes and self.chance(0.4):
            change = self.rng.choice(changes)
            clock = zone_from(tzif_of(self.zone)).clock(change - HOUR_MS // 2) + timedelta(minutes=45)
            return Plain(clock.isoformat(timespec="minutes"))
        if self.chance(0.7):
            return Plain(day.isoformat())
        return Plain(f"{day.isoformat()}T{self.rng.randrange(24):02}:{self.rng.choice((0, 30)):02}")

    def midnight_utc(self) -> int:
        return day_of(self.start) * DAY_MS

    def expiry(self) -> dict[str, Any]:
        rng = self.rng
        kind = rng.randrange(8)
        if kind == 0:
            return {"kind": Plain("none")}
        if kind == 1:
            return {
                "kind": Plain("fixed"),
                "on": Plain((self.start + timedelta(days=rng.randrange(-2, 30))).isoformat()),
            }
        made: dict[str, Any] = {"kind": Plain("rolling")}
        if kind < 6:
            made["days"] = rng.choice((0, 1, 2, 5, 10, 30))
        else:
            made["months"] = rng.choice((1, 1, 2, 12))
        if self.chance(0.4):
            made["round_up_to"] = Plain(rng.choice(("day", "month", "month", "quarter", "year")))
        return made

    def limit_ids(self, *each: str) -> list[str]:
        """One or two limits, made when first named; `each` says which values the rule's facts have."""
        keys = (None, *each)
        chosen = [key for key in self.rng.sample(keys, len(keys)) if self.chance(0.6)] or [keys[-1]]
        ids = []
        for key in chosen:
            limit_id = self.rng.choice(LIMIT_IDS[key])
            if limit_id not in self.limits:
                self.limits[limit_id] = self.limit(limit_id, key)
            ids.append(limit_id)
        return ids

    def limit(self, limit_id: str, each: str | None) -> dict[str, Any]:
        rng = self.rng
        per = USUAL_PERIODS[limit_id[-1]] if self.chance(0.6) else rng.choice(PERIODS)
        if each == "order":
            per, each = "order", None
        made: dict[str, Any] = {"id": limit_id, "per": Plain(per)}
        if self.chance(0.5):
            made["times"] = rng.choice((1, 1, 2, 3))
        else:
            made["points"] = rng.choice(LIMIT_POINTS)
            if self.chance(0.7):
                made["when_reached"] = Plain(rng.choice(("remainder", "refuse")))
        if each is not None:
            made["each"] = Plain(each)
        return made

    # ------------------------------------------------------------------------------------------------ rules

    def rules(self) -> list[dict[str, Any]]:
        rng = self.rng
        certain = {
            "streak": ["streak"],
            "referral": ["referral", "spend"],
            "flood": ["referral"],
            "reviews": ["review", "share"],
            "huge": ["purchase"],
            "expiry": ["spend", "check_in"],
        }.get(self.theme, [])
        usual = ["spend", "spend", "purchase", "check_in", "share", "review", "streak", "referral"]
        kinds = certain + rng.sample(usual, rng.randrange(2, MAX_RULES - len(certain)))
        for kind in ("streak", "referral"):
            while kinds.count(kind) > 1:
                kinds.remove(kind)
        rng.shuffle(kinds)
        made = [self.rule(kind, f"r{number}-{kind.replace('_', '-')}") for number, kind in enumerate(kinds, 1)]
        for number in range(2 if self.theme == "huge" else rng.choice((0, 0, 1, 1, 2, MAX_MULTIPLIERS))):
            made.insert(rng.randrange(len(made) + 1), self.multiplier(made, f"m{number + 1}"))
        return [rule for rule in made if rule]

    def rule(self, kind: str, rule_id: str) -> dict[str, Any]:
        made: dict[str, Any] = {"id": rule_id}
        if kind == "spend":
            self.add_spend(made)
        elif kind == "streak":
            self.add_streak(made)
        elif kind == "referral":
            self.add_referral(made)
        else:
            self.add_fixed(made, kind)
        if self.chance(0.2):
            made["active"] = self.active()
        if self.chance(0.25):
            made["rounding"] = Plain(self.rng.choice(ROUNDINGS))
        if self.chance(0.25):
            made["expiry"] = self.expiry()
        return made

    def add_spend(self, made: dict[str, Any]) -> None:
        points, per_minor = self.rng.choice((("1", 100), ("1", 100), ("0.5", 100), ("2.25", 99), ("3", 1000), ("1", 7)))
        made |= {"kind": Plain("spend"), "points": Plain(points), "per_minor": per_minor}
        self.add_lines(made, 0.3)
        if self.chance(0.3):
            made["round_per"] = Plain(self.rng.choice(("order", "line")))
        if self.chance(0.2):
            made["when"] = self.conditions(WHEN_FIELDS["purchase"])
        if self.chance(0.35):
            made["limits"] = self.limit_ids("store_id", "order")

    def add_lines(self, made: dict[str, Any], share: float) -> None:
        if self.chance(share):
            made["lines"] = self.lines()
        if self.chance(share / 2):
            made["exclude_lines"] = self.lines()

    def add_fixed(self, made: dict[str, Any], on: str) -> None:
        made |= {
            "kind": Plain("fixed"),
            "on": Plain(on),
            "points": self.decimal("1", "5", "50", "0.4", "2.5", "7.000001"),
        }
        if on == "purchase" and self.theme == "huge":
            made |= {"points": 1_000_000, "per": Plain("unit")}
        elif on == "purchase":
            per = self.rng.choice(("event", "line", "unit", None))
            if per is not None:
                made["per"] = Plain(per)
            self.add_lines(made, 0.3)
            if per in ("line", "unit") and self.chance(0.4):
                made["round_per"] = Plain("line")
        if self.chance(0.4):
            made["when"] = self.conditions(WHEN_FIELDS[on])
        if self.chance(0.7 if on in ("share", "review") else 0.4):
            made["limits"] = self.limit_ids("store_id", *EACH_OF.get(on, ()))

    def add_streak(self, made: dict[str, Any]) -> None:
        made["kind"] = Plain("streak")
        if self.chance(0.7):
            made["daily"] = self.decimal("0", "0", "1", "5", "0.5", "2.5")
        if self.chance(0.8):
            days = sorted(self.rng.sample((1, 2, 3, 4, 5, 7), self.rng.randrange(1, 4)))
            made["steps"] = [{"day": day, "bonus": self.decimal("10", "2", "0.5", "0", "30")} for day in days]
            if self.chance(0.7):
                made["beyond"] = Plain(self.rng.choice(("hold", "repeat", "restart")))
        if self.chance(0.5):
            made["grace_days"] = self.rng.choice((0, 1, 1, 2, 6))
        if self.chance(0.1):
            made["when"] = self.conditions(WHEN_FIELDS["check_in"])
        if self.chance(0.25):
            made["limits"] = self.limit_ids("store_id")

    def add_referral(self, made: dict[str, Any]) -> None:
        made |= {
            "kind": Plain("referral"),
            "referrer_points": self.rng.choice((0, 5, 50, 500)),
            "referee_points": self.rng.choice((0, 5, 25)),
        }
        if self.chance(0.4):
            made["min_amount_minor"] = self.rng.choice(NUMBERS["amount_minor"])
        if self.chance(0.5):
            made["claim_ranks"] = self.rng.choice(([1, 2], [2], [1, 2, 3, 4], [1]))
        if self.chance(0.2):
            made["new_members"] = self.chance(0.7)
        if self.chance(0.25):
            made["limits"] = self.limit_ids()

    def multiplier(self, others: list[dict[str, Any]], rule_id: str) -> dict[str, Any]:
        """A multiplier of some of the other rules; empty if there is none that it could multiply."""
        rng = self.rng
        payers = [rule for rule in others if rule and rule["kind"] != "multiplier"]
        spenders = [rule for rule in payers if rule["kind"] == "spend"]
        made: dict[str, Any] = {"id": rule_id, "kind": Plain("multiplier")}
        made["factor"] = self.decimal("2", "2", "3", "1.5", "0.5", "0", "1.25", "0.333333")
        if self.theme == "huge":
            return made | {"factor": 10, "applies_to": [rule["id"] for rule in payers if rule.get("per") == "unit"]}
        targets = spenders
        if not spenders or self.chance(0.5):
            targets = rng.sample(payers, rng.randrange(1, len(payers) + 1))
            made["applies_to"] = [rule["id"] for rule in targets]
        fields = set.intersection(*(set(WHEN_FIELDS[event_of(rule)]) for rule in targets))
        if fields and self.chance(0.3):
            made["when"] = self.conditions(tuple(sorted(fields)))
        if all(rule["kind"] == "spend" or rule.get("per") in ("line", "unit") for rule in targets):
            self.add_lines(made, 0.4)
        if self.chance(0.4):
            made["active"] = self.active()
        return made


def event_of(rule: dict[str, Any]) -> str:
    """Which kind of fact a rule looks at."""
    kind = rule["kind"]
    return {"spend": "purchase", "streak": "check_in", "referral": "referral"}.get(kind) or rule["on"]
