"""Throws spoilt input at the door: nothing may raise, all gets a typed outcome, what follows is taken.

An input that breaks a promise is written beside the system's temporary files and named; it belongs into tests/hostile
once the fault is mended.
"""

import json
import tempfile
import traceback
from collections import Counter
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple, get_args

import msgspec

from processors.intake.door import admit, admit_json, judge_time
from processors.intake.formats import Format
from processors.intake.input_files import open_input
from processors.intake.input_records import InputRefused, Read
from processors.intake.mapping import MappingRefused, parse_mapping
from processors.intake.refusal import Refusal, RejectReason
from processors.intake.unknown_fields import UnknownFields
from schemas.avro.codecs import decode_record, encode_record
from schemas.canonical import canonical_fact
from schemas.facts import PublishedFact
from schemas.instants import parse_instant
from schemas.pages import Reject
from tests.fuzz.mutations import ODD_VALUES, spoil_bytes, spoil_event
from tests.run.seeds import Seeded
from tests.support.bodies import decode_fact

CORPUS: Final = Path(__file__).resolve().parent.parent / "hostile"
# Said and not found out: one spoilt line may begin like another format, and must not cost the others.
TABLES: Final = {".csv", ".parquet"}
FORMATS: Final[dict[str, Format]] = {".jsonl": "json-lines", ".csv": "csv"}
NOW: Final = parse_instant("2026-12-01T00:00:00Z")
MAPPING_TEXT: Final[dict[str, Any]] = json.loads((CORPUS / "orders.mapping.json").read_text())
MAPPING: Final = parse_mapping(MAPPING_TEXT)
EVENTS_PER_FILE: Final = 40
GOOD_JSON: Final = (CORPUS / "good.jsonl").read_bytes()
GOOD_ID: Final[str] = json.loads(GOOD_JSON)["event_id"]
GOOD_ROW_ID: Final = "o-after"
# A broken row may be one of the order beside it, which is refused with it: so one more order stands between.
ROW_BETWEEN: Final = b"o-between,m-1,2026-11-11 12:11:11,s-1,espresso,3.50,1"
GOOD_ROW: Final = b"o-after,m-1,2026-11-11 12:11:11,s-1,espresso,3.50,1\n"
EVENTS: Final[tuple[dict[str, Any], ...]] = (
    {
        **json.loads(GOOD_JSON),
        "channel": "store",
        "attributes": {"campaign": "autumn"},
        "referrer_id": "m-2",
        "lines": [{"sku": "a", "amount_minor": 1, "brand": "house"}, {"sku": "b", "amount_minor": 2}],
    },
    {"type": "CheckedIn", "source": "app", "event_id": "1", "occurred_at": 1_794_395_471_000, "member_id": "m-1"},
    {"type": "ReferralMade", "source": "a", "event_id": "1", "occurred_at": NOW, "referrer_id": "m", "referee_id": "n"},
    {"type": "ReviewSubmitted", "source": "a", "event_id": "1", "occurred_at": NOW, "member_id": "m", "sku": "s"},
    {"specversion": "1.0", "id": "1", "source": "app", "type": "x.CheckedIn", "data": {"member_id": "m"}, "time": "x"},
)


class Broken(Exception):
    """A promise of the door was not kept."""


class Attempt(NamedTuple):
    """One file of spoilt input: how it is read, and how many good records in it must be taken all the same."""

    suffix: str
    content: bytes
    good: int


def next_attempt(chance: Random, seeds: dict[str, list[bytes]]) -> Attempt:
    """One more file of spoilt input."""
    way = chance.random()
    if way < 0.4:
        events = [spoil_event(chance, chance.choice(EVENTS)) for _ in range(EVENTS_PER_FILE)]
        return Attempt(".jsonl", b"".join(event + b"\n" + GOOD_JSON for event in events), EVENTS_PER_FILE)
    if way < 0.7:
        texts = [spoil_bytes(chance, chance.choice(seeds[".jsonl"])) for _ in range(EVENTS_PER_FILE)]
        return Attempt(".jsonl", b"".join(text + b"\n" + GOOD_JSON for text in texts), EVENTS_PER_FILE)
    if way < 0.85:
        head, _, body = chance.choice(seeds[".csv"]).partition(b"\n")
        return Attempt(".csv", head + b"\n" + spoil_bytes(chance, body) + b"\n" + ROW_BETWEEN + b"\n" + GOOD_ROW, 1)
    suffix = chance.choice((".csv", ".avro", ".avro", ".parquet"))
    return Attempt(suffix, spoil_bytes(chance, chance.choice(seeds[suffix])), 0)


def check_file(path: Path, attempt: Attempt, outcomes: Counter[str]) -> None:
    """Read one file; raises Broken or whatever the door let through."""
    path.write_bytes(attempt.content)
    unknown = UnknownFields()
    taken: Counter[str] = Counter()
    try:
        seen: set[int] = set()
        for number, read in enumerate(open_input(path, FORMATS.get(path.suffix), MAPPING).records(unknown), 1):
            # An order of several rows has the number of its first one, and orders come as their keys are sorted.
            if read.record in seen or read.record < 1 or (path.suffix not in TABLES and read.record != number):
                raise Broken(f"record {read.record} is counted as {number}")
            seen.add(read.record)
            check_read(read, outcomes)
            if read.fact is not None:
                taken[read.fact.event_id] += 1
    except InputRefused as refused:
        outcomes["(file refused)"] += 1
        if attempt.good:
            raise Broken(f"a file that may be spoilt in places was refused: {refused}") from refused
        return
    unknown.report()
    if taken[GOOD_ID] + taken[GOOD_ROW_ID] < attempt.good:
        raise Broken("a good record that follows was not taken")


def check_read(read: Read, outcomes: Counter[str]) -> None:
    """What is promised of every record."""
    if (read.fact is None) == (read.refusal is None):
        raise Broken("a record must be either a fact or refused")
    if read.fact is not None:
        outcomes[type(read.fact).__name__] += 1
        check_fact(read.fact)
    if read.refusal is not None:
        outcomes[read.refusal.reason] += 1
        check_refusal(read.refusal)
        reject = Reject(read.refusal.reason, read.refusal.message, read.raw, headers=read.headers)
        if decode_record(Reject, encode_record(reject)) != reject:
            raise Broken("a reject is not kept as it is")


def check_fact(fact: PublishedFact) -> None:
    """A fact keeps every bound of the contract, and is the same through JSON and Avro."""
    msgspec.convert(msgspec.to_builtins(fact), type(fact))
    if admit_json(canonical_fact(fact)) != fact:
        raise Broken("a fact written as JSON is not admitted as itself")
    if admit(msgspec.to_builtins(fact)) != fact:
        raise Broken("a fact's fields are not admitted as itself")
    if decode_fact(type(fact).__name__, encode_record(fact)) != fact:
        raise Broken("a fact written as Avro is not itself")
    refusal = judge_time(fact, received_at=NOW, last_tick=NOW, horizon_ms=90 * 86_400_000, now=NOW)
    if refusal is not None:
        check_refusal(refusal)


def check_refusal(refusal: Refusal) -> None:
    """A refusal has a reason that the contract knows, and says something that can be printed anywhere."""
    if refusal.reason not in get_args(RejectReason) or not refusal.message:
        raise Broken(f"no typed refusal: {refusal}")
    if "\n" in refusal.message or "\x1b" in refusal.message or "\0" in refusal.message:
        raise Broken(f"a message with control characters: {refusal.message!r}")
    msgspec.json.encode(refusal)


def check_mapping(chance: Random) -> None:
    """A spoilt mapping is refused or used, whatever it holds."""
    text = spoil_event(chance, MAPPING_TEXT)
    try:
        parse_mapping(json.loads(text))
    except MappingRefused as refused:
        if not refused.problems:
            raise Broken("a mapping is refused without a problem") from refused


def check_document(chance: Random) -> None:
    """A decoded record of any Python values is admitted or refused."""
    document = dict(chance.choice(EVENTS))
    for name in chance.sample(sorted(document), 2):
        document[name] = chance.choice(
            (*ODD_VALUES, b"x", object(), 1j, {1: 2}, "\ud800", float("nan"), {"\udfff": "x"})
        )
    admitted = admit(document)
    if isinstance(admitted, Refusal):
        check_refusal(admitted)
    else:
        check_fact(admitted)


@lru_cache(maxsize=1)
def corpus() -> dict[str, list[bytes]]:
    """The hostile files that are spoilt further, by suffix."""
    seeds: dict[str, list[bytes]] = {}
    for path in sorted(CORPUS.glob("[0-9]*[!d]")):
        if path.suffix not in FORMATS or "outcomes" in json.loads(path.with_suffix(".expected").read_text()):
            seeds.setdefault(path.suffix, []).append(path.read_bytes())
    seeds[".csv"] = [one for one in seeds[".csv"] if one.startswith(b"order,member,time,store,sku,paid,quantity\n")]
    return seeds


def attempt_of(seed: int) -> tuple[Random, Attempt]:
    """The file of a seed, and the chance that goes on from there."""
    chance = Random(seed)
    return chance, next_attempt(chance, corpus())


def try_seed(seed: int, folder: Path, outcomes: Counter[str]) -> None:
    """Throw one file, one mapping and one document at the door; raises whatever it lets through."""
    chance, attempt = attempt_of(seed)
    check_file(folder / f"input{attempt.suffix}", attempt, outcomes)
    check_mapping(chance)
    check_document(chance)


def holds(seed: int, seen: Counter[str]) -> bool:
    """Whether the door kept its promises."""
    with tempfile.TemporaryDirectory(prefix="tallybook-fuzz-") as folder:
        try:
            try_seed(seed, Path(folder), seen)
        except Exception:  # noqa: BLE001 whatever was let through is what fuzzing looks for; the seed's story shows it
            return False
    return True


def story(seed: int) -> str:
    """What the door did with the input of a seed, which is kept."""
    _, attempt = attempt_of(seed)
    folder = Path(tempfile.mkdtemp(prefix=f"tallybook-fuzz-{seed}-"))
    try:
        try_seed(seed, folder, Counter())
    except Exception:  # noqa: BLE001 as above
        return f"{traceback.format_exc()}the file is {folder / f'input{attempt.suffix}'}"
    return f"the door keeps its promises for {folder / f'input{attempt.suffix}'}"


SEEDED: Final = Seeded(holds, story)
