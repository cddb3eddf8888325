"""Asks Kafka now and then how a stage stands, in a thread of its own, so that no measure costs the stage anything."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from typing import Final

from books.errors import BooksError
from tallybook.stream.stages.health import Watched
from tallybook.stream.stages.log import ERROR, StageLog

WATCH_SECONDS: Final = 5.0
# While it is new, or partitions change hands, somebody may be waiting for it to be ready.
UNSETTLED_SECONDS: Final = 1.0
END_SECONDS: Final = 5.0

Look = Callable[[], Watched]


class StageWatch:
    """Looks every WATCH_SECONDS once started, sooner while nothing is settled; `latest` is what was last seen."""

    def __init__(self, look: Look, say: StageLog) -> None:
        self.latest = Watched()
        self._look = look
        self._say = say
        self._woken = threading.Event()
        self._is_ended = False
        self._thread = threading.Thread(target=self._run, name="tallybook-watch", daemon=True)

    def start(self) -> None:
        """Look for the first time, soon."""
        self._thread.start()

    def wake(self) -> None:
        """Look again soon: something has changed."""
        self._woken.set()

    def end(self) -> None:
        """Look no more."""
        self._is_ended = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(END_SECONDS)

    def _run(self) -> None:
        try:
            while not self._is_ended:
                self._woken.clear()
                try:
                    self.latest = self._look()
                except BooksError as error:
                    # The stage itself meets the same, and says so; here it is shown as long as it lasts.
                    self.latest = Watched(error=str(error))
                is_settled = self.latest.group.is_settled and not self.latest.error
                self._woken.wait(WATCH_SECONDS if is_settled else UNSETTLED_SECONDS)
        except Exception:  # noqa: BLE001 - who watches must not end what it watches: it says so, and is not ready
            self.latest = Watched(error="the watch over this stage has ended: see its log, and restart it")
            self._say(traceback.format_exc().rstrip(), level=ERROR)
