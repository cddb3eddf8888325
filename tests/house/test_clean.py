"""The repository holds nothing of the machine it was written on, and silences no checker without a reason."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.house.tracked import ROOT, read, tracked, tracked_files

# Joined from pieces, so that this file does not contain what it forbids.
REGISTRY_HOSTS = [
    ".".join(pieces)
    for pieces in (
        ("files", "pythonhosted", "org"),
        ("pypi", "org/simple"),
        ("registry", "npmjs", "org"),
        ("repo1", "maven", "org"),
        ("repo", "maven", "apache", "org"),
        ("deb", "debian", "org"),
        ("proxy", "golang", "org"),
        ("static", "crates", "io"),
        ("index", "crates", "io"),
    )
]
# Home folders and work folders of single machines; `/home/you` and the like in a document are nobody's.
MACHINE_PLACES = [
    r"(?<![\w.])/(?:work|farm)/",
    r"/" + r"root/",
    r"(?<![\w.])/home/(?!you\b|user\b)\w",
    r"(?<![\w.])/Users/(?!you\b)\w",
    r"(?<![\w.])/tmp/t" + r"b\b",
    r"\.py" + r"env/",
]
FORBIDDEN = re.compile("|".join([*map(re.escape, REGISTRY_HOSTS), *MACHINE_PLACES]))

# A directive that silences a checker, and what stands behind it on its line.
SILENCERS = re.compile(
    r"(?:#\s*type:\s*ignore(?:\[[^\]]*\])?|#\s*noqa(?::\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)?|"
    r"#\s*pragma:\s*no\s*cover)(?P<reason>.*)"
)
MIN_REASON_WORDS = 3


def complaints(paths: Iterable[Path], of: Callable[[Path], Iterable[str]]) -> list[str]:
    """What is wrong with any of the files, each after its name; one test for all, as a test costs more than a file."""
    found = {path: list(of(path)) for path in paths}
    assert found, "there are no such files"
    return [f"{path}: {problem}" for path, problems in found.items() for problem in problems]


@cache
def parsed(source: str) -> ast.Module:
    """The tree of a source that several tests look at."""
    return ast.parse(source)


def forbidden_in(text: str) -> list[str]:
    """Line numbers and contents of the lines that name a registry host or a place on one machine."""
    return [f"{n}: {line.strip()[:100]}" for n, line in enumerate(text.splitlines(), 1) if FORBIDDEN.search(line)]


def catches_everything(source: str) -> Iterator[int]:
    """The line numbers of the handlers that end any exception's way; one that raises it again does not count."""
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.ExceptHandler):
            names = {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)} if node.type else set()
            raises_again = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
            if (node.type is None or names & {"Exception", "BaseException"}) and not raises_again:
                yield node.lineno


def silenced_without_reason(source: str) -> list[str]:
    """Lines of Python that silence a checker, or catch everything, with no reason beside it."""
    lines = source.splitlines()
    reasons = {n: match["reason"] for n, line in enumerate(lines, 1) if (match := SILENCERS.search(line))}
    reasons |= {n: lines[n - 1].partition("#")[2] for n in catches_everything(source)}
    return [
        f"{n}: {lines[n - 1].strip()[:100]}"
        for n, reason in sorted(reasons.items())
        if len(re.findall(r"[A-Za-z]+", reason)) < MIN_REASON_WORDS
    ]


def text_of(path: Path) -> str:
    """A tracked file as text, whatever its bytes are."""
    return (ROOT / path).read_bytes().decode("utf-8", errors="replace")


def test_no_file_names_a_registry_or_a_machine() -> None:
    assert not complaints(tracked_files(), lambda path: forbidden_in(text_of(path)))


def test_no_file_silences_a_checker_without_a_reason() -> None:
    others = [path for path in tracked(".py") if path.name != "test_clean.py"]
    assert not complaints(others, lambda path: silenced_without_reason(read(path)))


OUR_TEXTS = [
    *tracked(".md", ".py", ".sh", ".sql", ".toml"),
    *(path for path in tracked(".yaml", ".yml", ".avsc") if path.parts[0] != "tests"),  # those may be wrong on purpose
]


def untidy(text: str) -> Iterator[str]:
    """What is left over in a text by an editor or a merge."""
    if text and (not text.endswith("\n") or text.endswith("\n\n")):
        yield "does not end with one newline"
    if "\r" in text:
        yield "has a carriage return"
    if re.search(r"^(<{7}|>{7}) ", text, re.MULTILINE):
        yield "has a merge marker"


def test_text_files_end_with_one_newline_and_have_no_merge_marker() -> None:
    assert not complaints(OUR_TEXTS, lambda path: untidy((ROOT / path).read_bytes().decode()))


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("a\n", 0), ("a", 1), ("a\n\n", 1), ("a\r\n", 1), ("a\n" + "<" * 7 + " b\n", 1)]
)
def test_an_untidy_text_is_noticed(text: str, count: int) -> None:
    assert len(list(untidy(text))) == count


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://" + REGISTRY_HOSTS[1],
        "cd /" + "work/main",
        "see /" + "root/.cache",
        '"/' + 'home/alice/books"',
    ],
)
def test_a_forbidden_line_is_noticed(line: str) -> None:
    assert forbidden_in(f"first\n{line}\n") == [f"2: {line}"]


@pytest.mark.parametrize("line", ["frame/work/x", "a/home/alice", "https://tallybook.example/docs", "/home/you/books"])
def test_a_harmless_line_is_not(line: str) -> None:
    assert not forbidden_in(line)


@pytest.mark.parametrize(
    ("line", "is_silent"),
    [
        ("x = f()  # type: ignore[attr-defined]", True),
        ("x = f()  # type: ignore[attr-defined]  # pyarrow ships no types", False),
        ("import os  # noqa: F401, I001", True),
        ("import os  # noqa: F401 re-exported for the command line", False),
        ("try: f()\nexcept Exception: pass", True),
        ("try: f()\nexcept (ValueError, BaseException): pass", True),
        ("try: f()\nexcept: pass", True),
        ("try: f()\nexcept Exception as error:  # reported to the reader, who sees it next\n    show(error)", False),
        ("try: f()\nexcept BaseException:\n    close()\n    raise", False),
        ("try: f()\nexcept ValueError: pass", False),
    ],
)
def test_silence_needs_a_reason(line: str, is_silent: bool) -> None:  # noqa: FBT001 a table's column, not a switch
    assert bool(silenced_without_reason(line)) is is_silent


MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 50


def long_functions(source: str) -> Iterator[str]:
    """Names and lengths of the functions in `source` that have MAX_FUNCTION_LINES lines or more."""
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines >= MAX_FUNCTION_LINES:
                yield f"{node.name} (line {node.lineno}) has {lines} lines"


def too_long(text: str) -> Iterator[str]:
    if (lines := len(text.splitlines())) > MAX_FILE_LINES:
        yield f"has {lines} lines: split it into files named after the thing each does"


def test_files_are_short() -> None:
    assert not complaints(tracked(".py", ".sql", ".sh"), lambda path: too_long(read(path)))


def test_a_long_file_is_noticed() -> None:
    assert len(list(too_long("x\n" * (MAX_FILE_LINES + 1)))) == 1
    assert not list(too_long("x\n" * MAX_FILE_LINES))


def test_functions_are_short() -> None:
    assert not complaints(tracked(".py"), lambda path: long_functions(read(path)))


def test_modules_say_why_they_exist() -> None:
    assert not [path for path in tracked(".py") if not (ast.get_docstring(parsed(read(path))) or "").strip()]


def test_a_long_function_is_noticed_wherever_it_stands() -> None:
    body = "\n".join(f"        x = {n}" for n in range(MAX_FUNCTION_LINES))
    source = f"class Outer:\n    async def grown(self):\n{body}\n\ndef short():\n    pass\n"
    assert list(long_functions(source)) == [f"grown (line 2) has {MAX_FUNCTION_LINES + 1} lines"]
