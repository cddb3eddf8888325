"""Every line of a stage has one form, whoever says it, and no line has a secret in it."""

import json
import logging
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from books.errors import BooksError
from books.kafka.errors import Fenced
from projections.store import StoreError
from tallybook.exit_codes import Exit
from tallybook.stream.stages.log import StageLog, failures_logged, set_up_logging


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, hook = list(root.handlers), root.level, threading.excepthook
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    threading.excepthook = hook
    logging.captureWarnings(capture=False)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_our_own_line(capsys: pytest.CaptureFixture[str]) -> None:
    StageLog("score", "1", as_json=True)("starts")
    (line,) = lines(capsys)
    assert line.pop("at").endswith("Z")
    assert line == {"level": "info", "stage": "score", "instance": "1", "message": "starts"}
    StageLog("score", "1", as_json=False)("starts")
    assert capsys.readouterr().err.endswith("Z score 1: starts\n")


@pytest.mark.parametrize("library", ["faust", "mode.services", "aiokafka.consumer", "clickhouse_connect.driver"])
def test_a_library_s_line_comes_in_the_same_form(capsys: pytest.CaptureFixture[str], library: str) -> None:
    set_up_logging(StageLog("score", "1", as_json=True))
    logging.getLogger(library).warning("lost %s of\n%d", "one", 2)
    logging.getLogger(library).info("nobody wants to know")
    (line,) = lines(capsys)
    assert (line["level"], line["logger"], line["message"]) == ("warning", library, "lost one of\n2")


def test_tracebacks_warnings_and_threads_too(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(StageLog("score", "1", as_json=True))
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logging.getLogger("faust").exception("crashed")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("soon to go", DeprecationWarning, stacklevel=1)
    error = ValueError("by itself")
    threading.excepthook(threading.ExceptHookArgs((ValueError, error, None, threading.current_thread())))
    crashed, warned, died = lines(capsys)
    assert "crashed\nTraceback" in crashed["message"]
    assert "ZeroDivisionError" in crashed["message"]
    assert "soon to go" in warned["message"]
    assert died["level"] == "error"
    assert "MainThread died: ValueError: by itself" in died["message"]


@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_are_hidden(capsys: pytest.CaptureFixture[str], *, as_json: bool) -> None:
    say = StageLog("score", "1", as_json=as_json, secrets=("", "abc", "s3cret", "s3cret-and-more"))
    say("the password s3cret-and-more is not s3cret, abc")
    assert "the password *** is not ***, abc" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (BooksError("no books"), Exit.REFUSED, "no books"),
        (StoreError("no tables"), Exit.REFUSED, "no tables"),
        (Fenced("somebody else"), Exit.HELD, "somebody else"),
        (OSError(28, "No space left"), Exit.FAULT, "No space left"),
        (ZeroDivisionError("of all things"), Exit.FAULT, "Traceback"),
    ],
)
def test_the_last_words_are_json_too(
    capsys: pytest.CaptureFixture[str], error: Exception, code: Exit, said: str
) -> None:
    with pytest.raises(SystemExit) as ended, failures_logged(StageLog("score", "1", as_json=True)):
        raise error
    assert ended.value.code == code
    (line,) = lines(capsys)
    assert line["level"] == "error"
    assert said in line["message"]


def test_for_people_the_command_line_has_the_last_word(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BooksError), failures_logged(StageLog("score", "1", as_json=False)):
        raise BooksError("no books")
    assert not capsys.readouterr().err
