"""What one seed asks for, before anything goes wrong: a world, its inputs, and the acts that take them in."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import msgspec

from schemas.facts import JournalOpened, PublishedFact, ReferralMade, RulesetPublished
from tests.property.histories import Setting, setting_of
from tests.reference.local_time import DAY_MS, HOUR_MS
from tests.simulation.inputs import BytesInput
from tests.support.random_facts import FactMaker
from tests.support.random_rulesets import tzif_of

SEEDS_PER_SETTING: Final = 50
FIRST_SETTING: Final = 100_000  # others than those of tests.property.histories
FLOODS: Final = "flood"
MINUTE_MS: Final = 60_000


@dataclass(frozen=True)
class Import:
    """Files taken in together, by time or as they come; a commit after each round of so many facts."""

    files: tuple[BytesInput, ...]
    as_is: bool
    commit_facts: int

    def told(self) -> str:
        how = "as is" if self.as_is else "by time"
        return f"import {', '.join(one.name for one in self.files)} {how}"


@dataclass(frozen=True)
class Follow:
    """Files taken in as they arrive: the first at `now` (UTC ms), each other `gap_ms` after the one before."""

    files: tuple[BytesInput, ...]
    now: int
    gap_ms: int

    def told(self) -> str:
        return f"follow {', '.join(one.name for one in self.files)}"


@dataclass(frozen=True)
class Publish:
    """A version of the ruleset, in force from an instant (or, if that is past by then, from the last tick)."""

    version: RulesetPublished
    effective_from: int
    now: int

    def told(self) -> str:
        return f"publish {self.version.version}"


Act = Import | Follow | Publish


@dataclass(frozen=True)
class Plan:
    """A seed's world; `by_time` says that the order of its facts is that of their time, so that one end is right."""

    seed: int
    opened: JournalOpened
    acts: tuple[Act, ...]
    now: int
    by_time: bool

    def inputs(self) -> list[BytesInput]:
        """All inputs, each content once."""
        found = {one.sha256: one for act in self.acts if not isinstance(act, Publish) for one in act.files}
        return list(found.values())


class CrowdFacts(FactMaker):
    """Facts of as many members as a world has."""

    members: Sequence[str] = ()

    def member(self) -> str:
        return self.rng.choice(self.members)

    def referral(self, referrer_id: str | None = None, referee_id: str | None = None) -> ReferralMade:
        referrer, referee = self.rng.sample(self.members, 2)
        return super().referral(referrer_id or referrer, referee_id or referee)


def setting_for(seed: int) -> Setting:
    """The rulesets of a seed, shared with its neighbours so that each is read once; never the one of many claims."""
    number = FIRST_SETTING + 7 * (seed // SEEDS_PER_SETTING)
    while setting_of(number).theme == FLOODS:
        number += 1
    return setting_of(number)


def plan_of(seed: int) -> Plan:
    """The plan of a seed; the same on every machine."""
    rng = Random(f"simulation {seed}")
    setting = setting_for(seed)
    opened = JournalOpened(
        deployment="simulated",
        generation=1,
        partitions=rng.choice((2, 2, 3, 4)),
        partition=0,
        horizon_ms=rng.choice((3, 10, 30, 90)) * DAY_MS,
        referral_window_ms=rng.choice((2, 5, 30)) * DAY_MS,
        opened_at=setting.start,
    )
    maker = CrowdFacts(rng, tzif_of(setting.zone), setting.start, setting.theme, opened)
    maker.members = [f"m-{number}" for number in range(rng.randint(5, 12))]
    by_time = rng.random() < 0.5
    acts = _Acts(rng, setting, maker, by_time=by_time)
    for _ in range(rng.randint(2, 3)):
        acts.add()
    return Plan(seed, opened, tuple(acts.acts), maker.now + 2 * DAY_MS, by_time)


class _Acts:
    """Draws the acts one after another, each with the facts that happened since the one before."""

    def __init__(self, rng: Random, setting: Setting, maker: CrowdFacts, *, by_time: bool) -> None:
        self.rng = rng
        self.setting = setting
        self.maker = maker
        self.by_time = by_time
        self.acts: list[Act] = []
        self.lines: list[bytes] = []
        self._files = 0
        if rng.random() < 0.97:
            self.publish(0, setting.start - 400 * DAY_MS)

    def add(self) -> None:
        """One more act with facts, and now and then another version before it."""
        rng = self.rng
        if rng.random() < 0.3:
            self.publish(
                rng.randrange(len(self.setting.versions)), self.maker.now + rng.choice((0, DAY_MS, 2 * DAY_MS))
            )
        if self.lines and rng.random() < 0.15:  # a file of nothing but what was in others before
            again = rng.sample(self.lines, min(len(self.lines), rng.randint(1, 6)))
            self.acts.append(Import(self._dealt(again, as_is=False, most=1), False, 1000))  # noqa: FBT003 - not as it is
        lines = self._some_lines(rng.choice((3, 5, 8, 8, 12, 20)))
        if self.by_time or rng.random() < 0.4:
            as_is = rng.random() < 0.15
            files = self._dealt(lines, as_is=as_is)
            self.acts.append(Import(files, as_is, rng.choice((1, 3, 5, 10, 1000))))
        else:
            files = self._dealt(lines, as_is=True, most=5)
            self.acts.append(Follow(files, self.maker.now + rng.randrange(2 * HOUR_MS), rng.choice((0, 50, 150, 400))))

    def publish(self, version: int, effective_from: int) -> None:
        """One more act that publishes."""
        self.acts.append(Publish(self.setting.versions[version], effective_from, self.maker.now))

    def _some_lines(self, facts: int) -> list[bytes]:
        rng, made = self.rng, list[bytes]()
        for _ in range(facts):
            self.maker.step()
            if rng.random() < 0.05:
                self.maker.last_tick = max(self.maker.last_tick, self.maker.now - DAY_MS)
            fact = self.maker.lines()[0].fact
            assert isinstance(fact, PublishedFact)
            made.append(msgspec.json.encode(fact))
            if rng.random() < 0.06:
                made.append(self._bad_line(fact))
            if rng.random() < 0.05 and self.lines:
                made.append(rng.choice(self.lines))  # delivered again, in another file
        self.lines += made
        return made

    def _bad_line(self, fact: PublishedFact) -> bytes:
        far = msgspec.structs.replace(
            fact, event_id=f"far-{fact.event_id}", occurred_at=fact.occurred_at + 400 * DAY_MS
        )
        old = msgspec.structs.replace(
            fact, event_id=f"old-{fact.event_id}", occurred_at=self.setting.start - 300 * DAY_MS
        )
        member = self.maker.member()
        oneself = self.maker.referral(member, member)
        choices = (
            b'{"type":"PurchaseRecorded","source":"pos"',
            b"\xff\x00 no JSON",
            b'{"type":"Weather","source":"pos","event_id":"w","occurred_at":1800000000000}',
            msgspec.json.encode(far),
            msgspec.json.encode(old),
            msgspec.json.encode(oneself),
        )
        return self.rng.choice(choices)

    def _dealt(self, lines: list[bytes], *, as_is: bool, most: int = 3) -> tuple[BytesInput, ...]:
        """The lines dealt to a few files, some to two of them."""
        rng = self.rng
        piles: list[list[bytes]] = [[] for _ in range(rng.randint(1, most))]
        for line in lines:
            rng.choice(piles).append(line)
            if rng.random() < 0.05:
                rng.choice(piles).append(line)
        if not as_is and rng.random() < 0.3:
            for pile in piles:
                rng.shuffle(pile)
        return tuple(self._file(pile) for pile in piles)

    def _file(self, lines: list[bytes]) -> BytesInput:
        self._files += 1
        end = b"\n" if self.rng.random() < 0.8 else b"\r\n\n"
        return BytesInput(f"f{self._files}", end.join(lines) + (end if self.rng.random() < 0.8 else b""))
