"""Finds where a process's CPU goes by looking at its threads' stacks; cProfile makes calls look dearer than they are.

Every few milliseconds each thread's stack is charged with the CPU that the thread has used since the last look, as the
kernel counts it. What the process used beyond its Python threads is that of threads of C libraries (librdkafka's own).
A thread in a long call of C is charged when it comes back. Linux alone tells the CPU of a thread.
"""

from __future__ import annotations

import sys
import sysconfig
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

EVERY_SECONDS: Final = 0.002
# How soon a thread that computes lets the sampler look: Python's own 5 ms would be the sampler's rate.
SWITCH_SECONDS: Final = 0.000_5
MAX_FRAMES: Final = 100
MAX_FUNCTIONS: Final = 20_000
UNKNOWN: Final = "other"
NATIVE: Final = "threads of C libraries (librdkafka)"
ROOT: Final = Path(__file__).resolve().parent.parent.parent
STANDARD: Final = Path(sysconfig.get_path("stdlib"))

Category = Callable[[str, str], str | None]  # of a file and a function; None: ask the caller


class Sampler:
    """Samples all threads of this process from `start` to `stop`; `forget` begins anew."""

    def __init__(self, category: Category) -> None:
        self.by_category: dict[str, float] = defaultdict(float)
        self.by_function: dict[tuple[str, str], float] = defaultdict(float)
        self._category = category
        self._known: dict[tuple[str, str], str | None] = {}
        self._used: dict[int, float] = {}
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._look_on, name="sampler", daemon=True)
        self._process_base = self._own_base = self._own = 0.0

    def functions(self, most: int) -> list[tuple[str, str, float]]:
        """The functions that used most themselves: file, name, seconds."""
        found = sorted(self.by_function.items(), key=lambda item: -item[1])[:most]
        return [(shown_file(file), name, seconds) for (file, name), seconds in found]

    def start(self) -> None:
        """Begin."""
        sys.setswitchinterval(SWITCH_SECONDS)
        self._thread.start()

    def forget(self) -> None:
        """Forget what was seen so far."""
        with self._lock:
            self._look(count=False)
            self.by_category.clear()
            self.by_function.clear()
            self._process_base, self._own_base = time.process_time(), self._own

    def stop(self) -> None:
        """End, and charge to the threads of C libraries what no Python thread has used."""
        self._is_over.set()
        self._thread.join()
        self._look(count=True)
        used = time.process_time() - self._process_base - (self._own - self._own_base)
        self.by_category[NATIVE] = max(0.0, used - sum(self.by_category.values()))

    def _look_on(self) -> None:
        while not self._is_over.wait(EVERY_SECONDS):
            with self._lock:
                self._look(count=True)
            self._own = time.thread_time()

    def _look(self, *, count: bool) -> None:
        """Charge each thread; no thread can end meanwhile, for it would need the lock that we hold."""
        for ident, frame in sys._current_frames().items():  # noqa: SLF001  # documented; nothing else gives all threads' stacks
            if ident == self._thread.ident:
                continue
            used = time.clock_gettime(time.pthread_getcpuclockid(ident))
            spent = used - self._used.get(ident, 0.0)
            self._used[ident] = used
            if count and spent > 0:
                self._charge(frame, spent)

    def _charge(self, frame: FrameType, seconds: float) -> None:
        function = frame.f_code.co_filename, frame.f_code.co_name
        if function in self.by_function or len(self.by_function) < MAX_FUNCTIONS:
            self.by_function[function] += seconds
        at: FrameType | None = frame
        for _ in range(MAX_FRAMES):
            if at is None:
                break
            found = self._category_of(at.f_code.co_filename, at.f_code.co_name)
            if found is not None:
                self.by_category[found] += seconds
                return
            at = at.f_back
        self.by_category[UNKNOWN] += seconds

    def _category_of(self, file: str, name: str) -> str | None:
        key = file, name
        if key not in self._known:
            if len(self._known) >= MAX_FUNCTIONS:
                self._known.clear()
            self._known[key] = self._category(shown_file(file), name)
        return self._known[key]


def shown_file(file: str) -> str:
    """A file of ours by its path in the tree, a library's by its package, generated code by its name."""
    path = Path(file)
    if "site-packages" in path.parts:
        return "/".join(path.parts[path.parts.index("site-packages") + 1 :])
    for root in (ROOT, STANDARD):
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return file
