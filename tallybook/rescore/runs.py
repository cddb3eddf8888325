"""Keeps the runs of a folder: each with its plan, what every finished partition found, and a logbook of them all.

rescores/logbook.jsonl                what was opened, finished and discarded, when; numbers are never used again
rescores/0001/plan.json               the plan of run 0001
rescores/0001/03.json                 partition 3 is finished: its totals
rescores/0001/drafts/NAME/03.lines.jsonl    lines of partition 3 that differ under draft NAME, and 03.members.jsonl
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from books.files.disk import REAL_FILES, replace_file
from books.files.lock import hold, note_of, this_process
from processors.replay.rescore.differences import LineDifference, MemberDifference
from processors.replay.rescore.partition_run import DraftTotals, PartitionRescored
from tallybook.folder.folder import Folder
from tallybook.rescore.plan import Draft, Plan, RescoreRefused

LOGBOOK: Final = "logbook.jsonl"
LINES: Final = "lines"
MEMBERS: Final = "members"
MAX_RUNS: Final = 9_999
# An answer without room to write it would stop half way: a fresh run wants at least this much.
LEAST_FREE_BYTES: Final = 64 << 20
TEMPORARY: Final = ".tmp"
_PLAN: Final = "plan.json"
_DRAFTS: Final = "drafts"
_LOCK: Final = "lock"
_Row = TypeVar("_Row", LineDifference, MemberDifference)


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the logbook: a run was opened, finished or discarded (`what`), at an instant (UTC ms)."""

    run: str
    what: str
    at: int
    drafts: tuple[str, ...] = ()


class Run:
    """One run: its number and where it is kept."""

    def __init__(self, root: Path, number: str) -> None:
        self.number = number
        self.place = root / number

    def plan(self) -> Plan:
        """What was planned. Raises RescoreRefused where it cannot be read."""
        with self._readable(self.place / _PLAN) as file:
            return msgspec.json.decode(file.read_bytes(), type=Plan)

    def draft(self, name: str) -> Draft:
        """One of the plan's drafts, "" for the first; raises RescoreRefused where it has none of this name."""
        drafts = self.plan().drafts
        for draft in drafts:
            if name in ("", draft.name):
                return draft
        names = ", ".join(each.name for each in drafts)
        raise RescoreRefused(f"run {self.number} has no draft {name!r}; it has: {names}")

    def finished(self) -> dict[int, PartitionRescored]:
        """The partitions that are finished, with their totals. Raises RescoreRefused where these cannot be read."""
        found: dict[int, PartitionRescored] = {}
        for file in sorted(self.place.glob("[0-9]*.json")):
            with self._readable(file):
                each = msgspec.json.decode(file.read_bytes(), type=PartitionRescored)
                found[each.partition] = each
        return found

    def file(self, draft: str, partition: int, kind: str) -> Path:
        """The file of a draft's lines or members in one partition."""
        return self.folder_of(draft) / f"{partition:02d}.{kind}.jsonl"

    def folder_of(self, draft: str) -> Path:
        """Where a draft's files are: apart from those of the run, as a draft may have any name."""
        return self.place / _DRAFTS / draft

    def clear_away(self) -> None:
        """Remove what processes that were killed have begun to write."""
        for file in self.place.rglob(f"*{TEMPORARY}"):
            file.unlink(missing_ok=True)

    def finish(self, done: PartitionRescored) -> None:
        """Note that a partition is finished; its files are on the disk already."""
        replace_file(REAL_FILES, self.place / f"{done.partition:02d}.json", (msgspec.json.encode(done),))

    def lines(self, draft: str) -> Iterator[tuple[int, LineDifference]]:
        """Every line that differs under a draft, with its partition."""
        yield from self._rows(draft, LINES, LineDifference)

    def members(self, draft: str) -> Iterator[tuple[int, MemberDifference]]:
        """Every member that differs under a draft, with its partition."""
        yield from self._rows(draft, MEMBERS, MemberDifference)

    def totals(self) -> PartitionRescored:
        """The totals of all finished partitions together; the base is proven once all of them are."""
        found, plan = list(self.finished().values()), self.plan()
        drafts = [DraftTotals() for _ in plan.drafts]
        is_proven = len(found) == len(plan.cuts) and all(each.is_proven for each in found)
        total = PartitionRescored(-1, is_proven=is_proven, drafts=drafts)
        for each in found:
            for name in ("lines", "postings", "decided", "accounts", "balance"):
                setattr(total, name, getattr(total, name) + getattr(each, name))
            total.last_tick = max(total.last_tick, each.last_tick)
            total.members += each.members
            for one, more in zip(drafts, each.drafts, strict=True):
                for name in one.__struct_fields__:
                    setattr(one, name, getattr(one, name) + getattr(more, name))
        return total

    def _rows(self, draft: str, kind: str, row: type[_Row]) -> Iterator[tuple[int, _Row]]:
        decoder = msgspec.json.Decoder(row)
        for partition in sorted(self.finished()):
            with self._readable(self.file(draft, partition, kind)) as file, file.open("rb") as lines:
                for line in lines:
                    yield partition, decoder.decode(line)

    @contextmanager
    def _readable(self, file: Path) -> Iterator[Path]:
        """Refuse a file of this run that is not there, or not as it was written, while the body reads it."""
        try:
            yield file
        except (FileNotFoundError, UnicodeDecodeError, msgspec.DecodeError) as error:
            raise RescoreRefused(
                f"{file} cannot be read: {error}. Discard the run and make it again: "
                f"tallybook rescore discard {self.number}"
            ) from error


class Runs:
    """The runs of a folder."""

    def __init__(self, folder: Folder) -> None:
        self.root = folder.rescores

    def events(self) -> list[Event]:
        """The logbook. Raises RescoreRefused where it cannot be read."""
        file = self.root / LOGBOOK
        if not file.exists():
            return []
        decoder = msgspec.json.Decoder(Event)
        found = []
        for number, line in enumerate(file.read_bytes().splitlines(keepends=True), 1):
            if not line.endswith(b"\n"):
                break  # cut short: it is of a process that was killed, and what it said has not happened
            try:
                found.append(decoder.decode(line))
            except (UnicodeDecodeError, msgspec.DecodeError) as error:
                raise RescoreRefused(
                    f"{file}:{number}: cannot be read: {error}. Take {self.root} away, with all runs in it: nothing "
                    "else needs it"
                ) from error
        return found

    def there(self) -> list[Run]:
        """The runs that are not discarded, oldest first."""
        discarded = self._discarded()
        opened = [event.run for event in self.events() if event.what == "opened"]
        return [Run(self.root, number) for number in opened if number not in discarded]

    def _discarded(self) -> set[str]:
        return {event.run for event in self.events() if event.what == "discarded"}

    def find(self, number: str) -> Run:
        """A run by its number, with or without leading zeros; "" or "last": the last one. Raises RescoreRefused."""
        there = self.there()
        wanted = number.rjust(4, "0")
        for run in reversed(there):
            if number in ("", "last") or run.number == wanted:
                return run
        known = ", ".join(run.number for run in there) or "none"
        raise RescoreRefused(f"there is no re-scoring {number or 'yet'}; there are: {known} (`tallybook rescore list`)")

    def require_finished(self, run: Run) -> None:
        """Raise RescoreRefused for a run that was stopped and has not gone on to its end."""
        if not any(event.run == run.number and event.what == "finished" for event in self.events()):
            raise RescoreRefused(
                f"run {run.number} is not finished: `tallybook rescore run` with the same words goes on with it; "
                f"`tallybook rescore show {run.number}` says how far it is"
            )

    def unfinished(self, plan: Plan) -> Run | None:
        """The run that was stopped while it worked on the same drafts for the same books, if there is one.

        The books may have grown since: it ends where it was to end. They may not be an older copy.
        """
        finished = {event.run for event in self.events() if event.what == "finished"}
        for run in reversed(self.there()):
            if run.number not in finished and (run.place / _PLAN).exists():
                before = run.plan()
                has_all = all(now.page >= cut.page for now, cut in zip(plan.cuts, before.cuts, strict=False))
                if has_all and msgspec.structs.replace(plan, cuts=before.cuts, last_tick=before.last_tick) == before:
                    return run
        return None

    def open(self, plan: Plan, now: int) -> Run:
        """Begin a run; raises RescoreRefused where the disk is full."""
        free = shutil.disk_usage(self.root).free
        if free < LEAST_FREE_BYTES:
            raise RescoreRefused(
                f"{self.root} has {free >> 20} MiB left, and a re-scoring wants {LEAST_FREE_BYTES >> 20} MiB at least "
                "for what it finds: make room (`tallybook rescore discard RUN`). Nothing was changed."
            )
        number = max((int(event.run) for event in self.events()), default=0) + 1
        if number > MAX_RUNS:
            raise RescoreRefused(f"a folder has at most {MAX_RUNS:,} re-scorings")
        run = Run(self.root, f"{number:04d}")
        for left in (
            *self._discarded(),
            run.number,
        ):  # by processes that were killed before they had removed or noted it
            shutil.rmtree(self.root / left, ignore_errors=True)
        for draft in plan.drafts:
            run.folder_of(draft.name).mkdir(parents=True)
        replace_file(REAL_FILES, run.place / _PLAN, (msgspec.json.encode(plan),))
        self.note(Event(run.number, "opened", now, tuple(draft.name for draft in plan.drafts)))
        return run

    def discard(self, run: Run, now: int) -> None:
        """Note in the logbook that a run is discarded, then remove what it found."""
        self.note(Event(run.number, "discarded", now))
        shutil.rmtree(run.place)

    def note(self, event: Event) -> None:
        """Append to the logbook."""
        kept = (self.root / LOGBOOK).read_bytes() if (self.root / LOGBOOK).exists() else b""
        whole = kept[: kept.rfind(b"\n") + 1]
        replace_file(REAL_FILES, self.root / LOGBOOK, (whole, msgspec.json.encode(event) + b"\n"))

    @contextmanager
    def held(self, now: int) -> Iterator[None]:
        """While the body runs no other process re-scores here; raises FolderHeld where one does."""
        self.root.mkdir(parents=True, exist_ok=True)
        lock = hold(REAL_FILES, self.root, self.root / _LOCK)
        try:
            lock.write_note(note_of(this_process(now)))
            yield
        finally:
            lock.release()
