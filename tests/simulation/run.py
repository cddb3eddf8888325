"""One seed: its plan with everything going wrong that can, the laws that must hold meanwhile, and those at the end."""

from collections import Counter
from pathlib import Path
from random import Random
from typing import Final

from books.errors import BooksExist
from books.files.create import create_books
from books.files.layout import BOOKS, is_book_file, is_book_folder
from books.files.reader import FileLogReader
from books.snapshots.store import SnapshotStore
from processors.decider.accounts_digest import accounts_digest
from schemas.pages import RoundCommitted
from tests.fakes.disk import DiedError
from tests.run.seeds import Seeded
from tests.simulation.disk import EffectFailed, SimulatedDisk
from tests.simulation.ending import as_undisturbed, count_books
from tests.simulation.events import MUST_HAPPEN
from tests.simulation.fold import Fold
from tests.simulation.following import MemoryInbox
from tests.simulation.laws import audit
from tests.simulation.plan import Act, Follow, Plan, Publish, plan_of
from tests.simulation.projecting import Projecting
from tests.simulation.session import SHOP, SNAPSHOTS, Acknowledged, Session
from tests.simulation.strangers import book_files, damage, second_writer, spoil_snapshots, zombie
from tests.support.whole_books import LawBroken, require

MAX_LIVES: Final = 12  # of one act; the last of them is left in peace


class Run:
    """A seed on its way through its troubles; `story` tells them, `seen` counts them."""

    def __init__(self, seed: int, seen: Counter[str]) -> None:
        self.plan: Plan = plan_of(seed)
        self.rng = Random(f"troubles {seed}")
        self.seen = seen
        self.story: list[str] = []
        self.disk = SimulatedDisk(self.rng, seen)
        self.fold = Fold(self.plan.opened)
        self.session: Session | None = None
        self.acknowledged: Acknowledged
        self.projecting = Projecting(self.disk, SHOP, self.rng, seen) if self.rng.random() < 0.6 else None
        self.groups = self.rng.choice((1, 1, 2))
        self.inboxes = {act: MemoryInbox(self.disk, act) for act in self.plan.acts if isinstance(act, Follow)}
        self.backup: tuple[int, dict[str, bytes]] | None = None
        self.trouble = self.rng.choice((0.1, 0.25, 0.5))

    def go(self) -> None:
        """All acts, whatever happens; then the end is judged. Raises LawBroken."""
        self.create()
        for number, act in enumerate(self.plan.acts):
            self.perform(act)
            if self.rng.random() < 0.15:
                self.redeliver(act)
            if self.session is None:
                if self.rng.random() < 0.1:
                    damage(self.disk, self.acknowledged.last, self.rng, self.seen)
                if self.plan.by_time and self.projecting is None and self.rng.random() < 0.5:
                    self.backup = number, self.disk.contents()
        if self.backup is not None:
            self.restore(*self.backup)
        self.end()

    def redeliver(self, act: Act) -> None:
        """The same input comes again."""
        self.tell(f"again: {act.told()}")
        self.seen["redeliveries"] += not isinstance(act, Publish)
        if isinstance(act, Follow):
            self.inboxes[act].deliver(act)
        self.perform(act, again=True)

    def restore(self, number: int, contents: dict[str, bytes]) -> None:
        """The books as they were after an act, from a backup, beside snapshots that are ahead; the rest comes again."""
        self.tell(f"the books are restored from a backup made after {self.plan.acts[number].told()}")
        self.seen["backups restored"] += 1
        if self.session is not None:
            self.session.close()
            self.session = None
        self.disk.kill()
        for path in book_files(self.disk):
            self.disk.put(Path(path), contents[path])
        reader = FileLogReader(SHOP, files=self.disk)
        self.acknowledged = Acknowledged(reader.committed())
        self.fold = Fold(self.plan.opened)
        self.fold.catch_up(reader)
        for act in self.plan.acts[number + 1 :]:
            self.perform(act)

    def tell(self, what: str) -> None:
        """One more line of the story."""
        self.story.append(what)

    # -- the books are born

    def create(self) -> None:
        """Create the books, over and over if need be."""
        self.disk.make_folder(SHOP)
        self.disk.sync_folder(Path("/"))
        self.disk.kill()
        for _ in range(MAX_LIVES):
            if self.rng.random() < 0.3:
                self.disk.dies_in(self.rng.randint(1, 40))
            try:
                create_books(SHOP, self.plan.opened, files=self.disk)
                self.end_life_of_creator()
                break
            except DiedError as died:
                self.tell(f"create books: died before {died}")
                self.end_life()
            except BooksExist:
                break
        else:
            self.disk.calm()
            create_books(SHOP, self.plan.opened, files=self.disk)
        self.disk.calm()
        reader = FileLogReader(SHOP, files=self.disk)
        self.acknowledged = Acknowledged(reader.committed())
        self.fold.catch_up(reader)

    def end_life_of_creator(self) -> None:
        """Whoever was told that the books are made may lose power at once."""
        if self.rng.random() < 0.1:
            self.tell("books made; the process ends")
            self.end_life()
            require(self.disk.is_folder(SHOP / BOOKS), "books that were made are there")

    # -- acts

    def perform(self, act: Act, *, again: bool = False) -> None:
        """One act, by as many lives of the process as it takes."""
        for life in range(MAX_LIVES):
            if self.live(act, calm=life == MAX_LIVES - 1, again=again):
                return
        raise AssertionError("the last life is left in peace")

    def live(self, act: Act, *, calm: bool, again: bool) -> bool:
        """Go on with an act in the present life or a new one; True if it was done."""
        try:
            if not calm:
                self.plan_trouble()
            if self.session is None:
                self.open(calm=calm)
            assert self.session is not None
            self.seen["acts begun"] += 1
            lines = self.fold.lines()
            self.session.perform(act, self.plan.now, self.inboxes)
            self.disk.calm()
            self.catch_up(act)
            if again:
                require(self.fold.lines() == lines, "what is delivered again is left out", act=act.told())
            self.tell(f"{act.told()}: done")
            self.between(calm=calm)
        except DiedError as died:
            self.tell(f"{act.told()}: died before {died} ({self.disk.count} effects)")
            self.end_life()
            return False
        except EffectFailed as failed:
            self.tell(f"{act.told()}: {failed.strerror}")
            self.after_failure()
            return False
        return True

    def catch_up(self, act: Act) -> None:
        """After an act: what was committed is what the fold makes of it."""
        assert self.session is not None
        self.fold.catch_up(self.session.log)
        for scorer, mine in zip(self.session.scorers, self.fold.scorers, strict=True):
            require(scorer.number == mine.number, "the scorers stand where the books end", after=act.told())

    def project(self) -> None:
        """A projector does its work, if this world has one."""
        if self.projecting is not None:
            self.projecting.work()

    def plan_trouble(self) -> None:
        """Decide what, if anything, will happen to this life, and whether somebody reads in the middle of its work."""
        if self.rng.random() < 0.2:
            self.disk.meets_in(self.rng.randint(1, 40), self.project)
        choice = self.rng.random()
        if choice < self.trouble:
            effects = self.rng.randint(1, self.rng.choice((12, 40, 120)))
            if self.rng.random() < 0.15:
                self.disk.fails_in(effects)
            else:
                self.disk.dies_in(effects)
                if self.rng.random() < 0.2:
                    self.disk.meets_in(effects, self.project)

    def open(self, *, calm: bool) -> None:
        """A new life: the books are put back to their last commit, and every account is as if nothing had happened.

        If a commit was found that nobody had been told of, that life may be short: it must be there for the next one.
        """
        told = self.acknowledged.last.number
        use = self.rng.random() < 0.7
        if use:
            spoil_snapshots(self.disk, self.rng, self.seen)
        store = SnapshotStore(SNAPSHOTS, files=self.disk)
        self.session = Session(self.disk, self.acknowledged, store if use else None, self.groups)
        log = self.session.log
        self.seen["restarts"] += 1
        self.seen["bytes cut at a restart"] += log.cut_bytes
        self.seen["restarts after which something was cut"] += log.cut_bytes > 0
        self.require_acknowledged(log.committed())
        self.require_cut(log.committed())
        self.fold.catch_up(log)
        self.compare_desks()
        if told != self.acknowledged.last.number and not calm and self.rng.random() < 0.3:
            raise DiedError("anything was done with a commit that nobody had been told of")

    def compare_desks(self) -> None:
        """Every scorer of the new life stands where the fold does, with the same accounts."""
        assert self.session is not None
        from_snapshot = self.session.walked < self.fold.lines()
        self.seen["restarts from a snapshot" if from_snapshot else "restarts from the first page"] += 1
        for scorer, mine in zip(self.session.scorers, self.fold.scorers, strict=True):
            where = {"partition": scorer.partition, "from_snapshot": from_snapshot}
            require(scorer.number == mine.number, "a restart knows the last posting", **where)
            require(scorer.journal_digest == mine.journal_digest, "a restart knows the journal's digest", **where)
            require(scorer.ledger_digest == mine.ledger_digest, "a restart knows the ledger's digest", **where)
            require(scorer.last_tick == mine.last_tick, "a restart knows the last tick", **where)
        theirs = [accounts_digest(scorer.machine).hex() for scorer in self.session.scorers]
        require(theirs == self.fold.hashes(), "a restart has the accounts of a fold that never stopped")

    def require_acknowledged(self, found: RoundCommitted) -> None:
        """What the world was told is there; at most the commit that was on its way came too."""
        told = self.acknowledged.last
        if found.number == told.number:
            require(found == told, "an acknowledged commit stays as it was", commit=told.number)
        else:
            is_next = found.number == told.number + 1 and self.acknowledged.on_its_way
            require(is_next, "what was acknowledged is there, and no more", told=told.number, found=found.number)
            self.seen["commits that nobody was told of"] += 1
        self.acknowledged.last, self.acknowledged.on_its_way = found, False

    def require_cut(self, committed: RoundCommitted) -> None:
        """Opened for writing, the files are those of the last commit, to the byte."""
        books = SHOP / BOOKS
        found = {
            f"{folder}/{name}": self.disk.size(books / folder / name)
            for folder in filter(is_book_folder, self.disk.names(books))
            for name in filter(is_book_file, self.disk.names(books / folder))
        }
        for length in committed.lengths:
            size = found.pop(length.file, self.disk.size(books / length.file))
            require(size == length.bytes, "a restart cuts every file back to the commit", file=length.file, size=size)
        require(not found, "a restart removes files that no commit knows", files=sorted(found))

    # -- between two acts, and at the end of a life

    def between(self, *, calm: bool) -> None:
        """After an act: another process tries to open, snapshots are kept, the process ends or goes on."""
        assert self.session is not None
        if self.rng.random() < 0.2:
            second_writer(self.disk, self.seen)
        if self.rng.random() < 0.5:
            self.project()
        if self.rng.random() < 0.5:
            if not calm and self.rng.random() < 0.2:
                self.disk.dies_in(self.rng.randint(1, 12))
            try:
                self.session.save_snapshots(SnapshotStore(SNAPSHOTS, files=self.disk))
                self.seen["snapshots kept"] += 1
            except DiedError as died:
                self.tell(f"snapshot: died before {died}")
                self.end_life()
                return
        choice = self.rng.random()
        if choice < 0.3:
            self.tell("process ends")
            self.session.close()
            zombie(self.session, self.seen)
            self.session = None
        elif choice < 0.5:
            self.tell("killed between two acts")
            self.end_life()

    def after_failure(self) -> None:
        """An effect failed: the process lives, its writer takes nothing more, and the books are opened again."""
        self.disk.calm()
        if self.session is not None:
            zombie(self.session, self.seen)
            self.session.close()
            self.session = None

    def end_life(self) -> None:
        """The process is gone; now and then the power too."""
        self.session = None
        if self.rng.random() < 0.4:
            self.disk.cut_power(self.rng)
            self.seen["power cuts"] += 1
            self.tell("the power was cut")
        else:
            self.disk.kill()
            self.seen["kills"] += 1

    # -- the end

    def end(self) -> None:
        """Everything is there once, and right, and as it would be had nothing happened."""
        if self.session is not None:
            self.session.close()
            self.session = None
        reader = FileLogReader(SHOP, files=self.disk)
        self.fold.catch_up(reader)
        audit(reader, self.fold, self.plan.inputs())
        if self.plan.by_time:
            as_undisturbed(self.plan, reader)
        if self.projecting is not None:
            self.projecting.end(reader)
        count_books(self.fold, reader.committed(), self.seen)


def run_seed(seed: int, seen: Counter[str]) -> Run:
    """Run one seed; gives the run, for its story. Raises LawBroken with the story in `run`."""
    run = Run(seed, seen)
    try:
        run.go()
    except LawBroken as broken:
        raise SeedBroken(run, str(broken)) from broken
    except Exception as error:  # whatever it is, it tells of a fault: told with its seed
        raise SeedBroken(run, f"nothing is raised but what was planned: {type(error).__name__}: {error}") from error
    return run


class SeedBroken(Exception):
    """A seed broke a law."""

    def __init__(self, run: Run, law: str) -> None:
        self.run = run
        self.law = law
        super().__init__(f"seed {run.plan.seed}: {law}")


def holds(seed: int, seen: Counter[str]) -> bool:
    """Whether all laws held in the run of a seed."""
    try:
        run_seed(seed, seen)
    except SeedBroken:
        return False
    return True


def story(seed: int) -> str:
    """What happens in the run of a seed, and the law that it breaks, if it does."""
    try:
        lines = [f"seed {seed}:", *run_seed(seed, Counter()).story]
    except SeedBroken as broken:
        lines = [f"seed {seed} broke a law: {broken.law}", *broken.run.story]
    return "\n  ".join(lines)


SEEDED = Seeded(holds, story, MUST_HAPPEN, enough=4_000)
