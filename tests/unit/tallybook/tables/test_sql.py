"""The prompt of `sql` takes one query after another, over several lines, and goes on after a mistake."""

import contextlib
import io
import sys
from collections.abc import Iterator

import pytest

from projections.store import QueryFailed
from tallybook.tables.sql import FORMATS, answer, prompt


class EchoStore:
    """A store that answers a query with its own text, and knows one mistake."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def export(self, query: str, output_format: str) -> bytes:
        self.asked.append((query, output_format))
        if query == "wrong":
            raise QueryFailed("Code: 62. Syntax error: failed at 1\n FORMAT CSV. Expected one of: SELECT, WITH")
        return f"<{query}>\n".encode()


@contextlib.contextmanager
def typing(text: str) -> Iterator[io.TextIOWrapper]:
    """`text` comes from the keyboard; gives what goes to the screen."""
    screen = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    before = sys.stdin
    sys.stdin = io.StringIO(text)
    try:
        with contextlib.redirect_stdout(screen):
            yield screen
    finally:
        sys.stdin = before


def shown(screen: io.TextIOWrapper) -> str:
    screen.seek(0)
    return screen.read()


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("SELECT 1;\nexit\nSELECT 2;\n", ["SELECT 1"]),
        ("SELECT\n\n1;\n", ["SELECT\n\n1"]),
        ("\n\nSELECT 1;\nquit;\n", ["SELECT 1"]),
        ("wrong;\nSELECT 2;\n", ["wrong", "SELECT 2"]),
        ("SELECT 1", []),
        ("", []),
    ],
)
def test_queries_end_with_a_semicolon(typed: str, asked: list[str]) -> None:
    store = EchoStore()
    with typing(typed) as screen:
        prompt(store, "CSV")
    assert [query for query, _ in store.asked] == asked
    assert all(f"<{query}>" in shown(screen) for query in asked if query != "wrong")


def test_a_file_gets_no_colours() -> None:
    coloured = "\x1b[1mname\x1b[0m"
    assert answer(EchoStore(), coloured, FORMATS["table"], plain=True) == b"<name>\n"
    assert answer(EchoStore(), coloured, FORMATS["csv"], plain=True) == f"<{coloured}>\n".encode()


def test_mistake_is_told_without_the_grammar() -> None:
    with pytest.raises(QueryFailed) as failed:
        answer(EchoStore(), "wrong;", "CSV")
    assert str(failed.value) == "Code: 62. Syntax error: failed at 1"
