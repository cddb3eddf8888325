"""Fetches the servers' jars once, outside the tree, because a clone should stay small and a second start quick."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

POM = Path(__file__).resolve().parent / "pom.xml"
CACHE_VARIABLE = "TALLYBOOK_CACHE"

MIN_JAVA = 17  # what Kafka 4 asks of a broker
TOOL_SECONDS = 30.0
ATTEMPTS = 3  # of a download that hangs; one that fails at once would fail again
ATTEMPT_SECONDS = 300.0
LOCK_SECONDS = ATTEMPTS * ATTEMPT_SECONDS + 60.0  # longer than whoever holds the lock may take
PROGRESS_SECONDS = 3.0
PAUSE_SECONDS = 0.2
END_SECONDS = 10.0
LAST_LINES = 12

Say = Callable[[str], None]


class ArtifactError(Exception):
    """A server's jars cannot be had; the message says why and what to do."""


class ToolMissingError(ArtifactError):
    """Java or Maven is not installed, or Java is too old."""


@dataclass(frozen=True)
class Artifact:
    """Something that pom.xml fetches: `name` is its profile there, `size` what a person should know beforehand."""

    name: str
    title: str
    size: str

    @property
    def version(self) -> str:
        """The version that pom.xml pins."""
        found = re.search(rf"<{self.name}\.version>([^<]+)<", POM.read_text("utf-8"))
        if found is None:
            raise AssertionError(f"{POM.name} has no property {self.name}.version")
        return found.group(1)


# Measured with an empty repository of Maven's: the plugin that copies them is in it.
KAFKA = Artifact("kafka", "Apache Kafka", "65 MB to download with Maven's own parts, then 43 MB in the cache")
REGISTRY = Artifact("registry", "Apicurio Registry", "104 MB to download, then 115 MB in the cache")


def say_aloud(line: str) -> None:
    """Writes a line for a person: to stderr, for stdout may be read by a program."""
    print(line, file=sys.stderr, flush=True)


def cache_folder() -> Path:
    """Where fetched artifacts stay: $TALLYBOOK_CACHE, else $XDG_CACHE_HOME/tallybook, else ~/.cache/tallybook."""
    if own := os.environ.get(CACHE_VARIABLE):
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "tallybook"


def find_java() -> str:
    """The `java` to start servers with: that of $JAVA_HOME, else the one on the PATH.

    Raises ToolMissingError if there is none, or if it is older than Kafka needs.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    advice = (
        f"Install Java {MIN_JAVA} or later (Debian: apt-get install default-jre-headless; macOS: brew install openjdk)"
    )
    if java is None:
        raise ToolMissingError(f"There is no java {f'in $JAVA_HOME ({home})' if home else 'on the PATH'}. {advice}.")
    # On macOS there is a java that only says where to get one.
    asked = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=TOOL_SECONDS, check=False)
    found = re.search(r'version "(\d+)', asked.stderr)
    if asked.returncode != 0 or found is None:
        raise ToolMissingError(f"{java} does not tell its version: {asked.stderr.strip()!r}. {advice}.")
    if int(found.group(1)) < MIN_JAVA:
        raise ToolMissingError(f"{java} is Java {found.group(1)}. {advice}.")
    return java


def find_maven() -> str:
    """The `mvn` to fetch with. Raises ToolMissingError if there is none."""
    if (maven := shutil.which("mvn")) is None:
        raise ToolMissingError(
            "There is no mvn on the PATH. Install Maven (Debian: apt-get install maven; macOS: brew install maven)."
        )
    return maven


def fetched(artifact: Artifact, say: Say = say_aloud) -> Path:
    """The folder with the artifact's files, fetched by Maven if the cache does not hold it yet.

    It is there as a whole or not at all, and processes that want it at once fetch it one after another. Raises
    ArtifactError if it cannot be had, ToolMissingError if Maven is what is missing.
    """
    cache = cache_folder()
    whole = cache / f"{artifact.name}-{artifact.version}"
    if whole.is_dir():
        return whole
    maven = find_maven()
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache / ".fetching.lock", say):
        if whole.is_dir():
            return whole
        prefix = f".{whole.name}-"
        # Whoever wrote them held this lock, and has ended.
        for cut_off in cache.glob(f"{prefix}*"):
            shutil.rmtree(cut_off)
        say(f"Fetching {artifact.title} {artifact.version} by Maven: {artifact.size} ({whole}).")
        part = Path(tempfile.mkdtemp(prefix=prefix, dir=cache))
        _fetch(maven, artifact, part, say)
        part.chmod(0o755)
        part.rename(whole)
    say(f"{artifact.title} {artifact.version} is ready.")
    return whole


def _fetch(maven: str, artifact: Artifact, to: Path, say: Say) -> None:
    # -U: Maven remembers for a day what it once did not find, also when only the line was down.
    command = [maven, "-B", "-U", "-f", str(POM), "generate-resources", "-P", artifact.name, f"-Dto={to}"]
    for attempt in range(1, ATTEMPTS + 1):
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            code = _run_bounded(command, output, say)
            output.seek(0)
            lines = [line.rstrip() for line in output if line.strip()]
        if code == 0:
            return
        if code is not None:
            told = [line for line in lines if "ERROR" in line] or lines
            raise ArtifactError(
                f"Maven cannot fetch {artifact.title} {artifact.version} (it ended with {code}). See that it reaches a "
                "repository, or name a mirror in its settings.xml. Its last lines:\n" + "\n".join(told[:LAST_LINES])
            )
        say(f"Maven was silent for too long and was ended: attempt {attempt} of {ATTEMPTS}.")
    raise ArtifactError(
        f"Maven did not fetch {artifact.title} {artifact.version} within {ATTEMPTS} attempts of "
        f"{ATTEMPT_SECONDS:.0f} s. Try again: what it has already fetched is kept."
    )


def _run_bounded(command: list[str], output: IO[str], say: Say) -> int | None:
    """Runs a command, saying now and then that it goes on; its exit code, or None if it took too long."""
    begun = time.monotonic()
    said = begun
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, process_group=0
    )
    try:
        while (now := time.monotonic()) - begun < ATTEMPT_SECONDS:
            if (code := process.poll()) is not None:
                return code
            if now - said >= PROGRESS_SECONDS:
                said = now
                say(f"  {now - begun:.0f} s, {_count_downloaded(output)} files")
            time.sleep(PAUSE_SECONDS)
        return None
    finally:
        # Also when we are interrupted: Maven is a shell with a Java below it, hence the group.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(END_SECONDS)


def _count_downloaded(output: IO[str]) -> int:
    # pread, because the child writes through the very same file position.
    text = os.pread(output.fileno(), os.fstat(output.fileno()).st_size, 0)
    return text.count(b"Downloaded")


@contextmanager
def _alone(lock: Path, say: Say) -> Iterator[None]:
    with lock.open("w") as held:
        until = time.monotonic() + LOCK_SECONDS
        waiting = False
        while not _try_lock(held):
            if not waiting:
                say("Another process is fetching: waiting for it.")
                waiting = True
            if time.monotonic() >= until:
                raise ArtifactError(f"Another process holds {lock} for over {LOCK_SECONDS:.0f} s. End it, try again.")
            time.sleep(PAUSE_SECONDS)
        yield


def _try_lock(held: IO[str]) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
