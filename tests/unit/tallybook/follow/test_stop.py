"""A follow is asked to stop by the first signal, and leaves the second one to the system."""

import os
import signal

import pytest

from tallybook.stop import stoppable


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_ends(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stoppable() as stop:
        asked = [stop.is_asked]
        os.kill(os.getpid(), number)
        asked.append(stop.is_asked)
        assert asked == [False, True]
        assert signal.getsignal(number) is signal.SIG_DFL
    assert signal.getsignal(number) is before
