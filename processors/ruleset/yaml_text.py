"""Reads YAML into plain data whose scalars are the text as written, and remembers where everything stands.

YAML's guesses are not used: `on:` stays "on", 2026.10 keeps its zero, 07:00 is no number. Only the part of YAML that
people write by hand is taken (mappings, lists, scalars, anchors); size, depth and expansion are bounded.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple, NoReturn, Protocol

import yaml

from processors.decider.fields.problems import Path

MAX_BYTES: Final = 512 * 1024
MAX_DEPTH: Final = 24
MAX_NODES: Final = 50_000
MAX_ANCHORS: Final = 100
MAX_FAULTS: Final = 100
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_QUOTES: Final = frozenset({"'", '"'})


class Place(NamedTuple):
    """A line and a column, both counted from 1."""

    line: int
    column: int


class Fault(NamedTuple):
    """What is wrong with the YAML itself, and where."""

    path: Path
    place: Place
    message: str
    hint: str


class Tree(NamedTuple):
    """A document as mappings (by text), lists and texts; None stands where a value is missing (a fault tells).

    `places` has every key (at the key) and every list item.
    """

    data: Any
    places: dict[Path, Place]
    faults: list[Fault]


class _Unreadable(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class _Anchored(NamedTuple):
    data: Any
    places: tuple[tuple[Path, Place], ...]
    nodes: int


def read_yaml(text: str) -> Tree:
    """The one document of `text`; a fault that ends the reading leaves `data` None."""
    try:
        if len(text.encode("utf-8", "replace")) > MAX_BYTES:
            _stop(Place(1, 1), f"the file is larger than {MAX_BYTES} bytes", "take out what is no rule or example")
        reader = _Reader(_events(text))
        return Tree(reader.read(), reader.places, reader.faults)
    except _Unreadable as end:
        return Tree(None, {(): Place(1, 1)}, [end.fault])


def _events(text: str) -> Iterator[yaml.Event]:
    last: yaml.Event | None = None
    try:
        for last in yaml.parse(text, Loader=yaml.SafeLoader):
            yield last
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Place(before.count("\n") + 1, error.position - before.rfind("\n"))
        _stop(place, f"the character U+{error.character:04X} cannot stand in YAML", "delete it")
    except yaml.MarkedYAMLError as error:
        quoted = isinstance(last, yaml.ScalarEvent) and last.style in _QUOTES
        if last is not None and quoted and _place(last.start_mark).line < _place(last.end_mark).line:
            _stop(_place(last.start_mark), "this quote is closed only on a later line", "close it on the same line")
        _stop(*_explain(error))


def _explain(error: yaml.MarkedYAMLError) -> tuple[Place, str, str]:
    """Where a syntax error is and what to change, in words for someone who does not know the parser's."""
    problem = error.problem or "this is not YAML"
    mark = error.problem_mark or error.context_mark
    if "unexpected end of stream" in problem and error.context_mark is not None:
        return _place(error.context_mark), "this quote is never closed", "close it on the same line"
    if "could not find expected ':'" in problem:
        return _place(error.context_mark or mark), "there is no `:` after this key", "write `key: value`"
    if "unexpected end of stream" in problem or "<stream end>" in problem:
        opened = error.context_mark or mark
        return _place(opened), "this bracket is never closed", "close it with } or ]"
    explained = {
        "'\\t'": ("a tab stands here", "indent with spaces"),
        "mapping values are not allowed here": (
            "a `:` cannot stand here",
            "indent this line as its neighbours; put text with a `: ` in quotes",
        ),
        "expected <block end>": (
            "this line does not fit the lines above it",
            "indent it as its neighbours, and begin list items with `- `",
        ),
        "expected ',' or": ("a `,` or the closing bracket is missing here", "separate items by commas"),
        "found duplicate anchor": ("this anchor stands twice", "name each anchor once"),
        "found unknown escape": ("a backslash means something in double quotes", "use single quotes"),
        "that cannot start any token": ("this character cannot begin a value", "put the value in quotes"),
    }
    for known, (message, hint) in explained.items():
        if known in problem:
            return _place(mark), message, hint
    return _place(mark), problem, "see the YAML around this place"


class _Reader:
    """Builds data from parser events; a descent is at most MAX_DEPTH deep."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._anchors: dict[str, _Anchored] = {}
        self._nodes = 0
        self.places: dict[Path, Place] = {}
        self.faults: list[Fault] = []

    def read(self) -> Any:
        """The data of the only document; raises _Unreadable if there is none or a second, or the YAML breaks off."""
        data: Any = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    _stop(_place(event.start_mark), "a second document begins here", "write one ruleset a file")
                data = self._node(next(self._events), (), 0)
        if documents == 0:
            _stop(Place(1, 1), "the file is empty", "begin with `programme:`; `tallybook init` makes one to start from")
        return data

    def _node(self, event: yaml.Event, path: Path, depth: int) -> Any:
        self.places.setdefault(path, _place(event.start_mark))
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        if not isinstance(event, yaml.CollectionStartEvent | yaml.ScalarEvent):
            raise AssertionError(f"no value begins with {event}")  # noqa: TRY004 - a fault of the parser, of no caller
        self._count(1, event)
        if depth > MAX_DEPTH:
            _stop(_place(event.start_mark), f"this is nested deeper than {MAX_DEPTH} levels", "no rule needs that")
        if event.tag is not None and event.tag != "!":
            message = f"the tag `{event.tag[:60]}` is not used here"
            self._fault(path, event, message, "delete it: the field says what the value is")
        nodes, known = self._nodes, len(self.places)
        if isinstance(event, yaml.MappingStartEvent):
            data: Any = self._mapping(path, depth)
        elif isinstance(event, yaml.ScalarEvent):
            data = self._scalar(event, path)
        else:
            data = self._sequence(path, depth)
        if event.anchor is not None:
            below = islice(self.places.items(), known, None)
            places = tuple((at[len(path) :], place) for at, place in below)
            self._anchors[event.anchor] = _Anchored(data, places, self._nodes - nodes + 1)
            if len(self._anchors) > MAX_ANCHORS:
                _stop(_place(event.start_mark), f"there are more than {MAX_ANCHORS} anchors", "write the values out")
        return data

    def _mapping(self, path: Path, depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                _stop(_place(event.start_mark), "a key is not plain text here", "write `key: value`")
            key = event.value
            self._count(1, event)
            if key in data:
                first = self.places[(*path, key)]
                hint = f"it stands on line {first.line} already; delete one of the two"
                self._fault((*path, key), event, f"the key `{key[:60]}` stands twice", hint)
                self._skip(next(self._events), (*path, key), depth + 1)
                continue
            if key == "<<" and event.implicit[0]:
                self._fault((*path, key), event, "merge keys (`<<`) are not used here", "write the keys out")
            self.places[(*path, key)] = _place(event.start_mark)
            data[key] = self._node(next(self._events), (*path, key), depth + 1)
        return data

    def _skip(self, event: yaml.Event, path: Path, depth: int) -> None:
        places, faults = dict(self.places), list(self.faults)
        self._node(event, path, depth)
        self.places, self.faults = places, faults

    def _sequence(self, path: Path, depth: int) -> list[Any]:
        data: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            data.append(self._node(event, (*path, len(data)), depth + 1))
        return data

    def _scalar(self, event: yaml.ScalarEvent, path: Path) -> str | None:
        value = event.value
        if event.implicit[0] and value in _NULLS:
            name = f"`{path[-1]}`" if path and isinstance(path[-1], str) else "this"
            # To YAML `{points: 1,5}` has a key `5` without a value.
            is_half = bool(path) and isinstance(path[-1], str) and path[-1].isdecimal()
            common = 'write one or delete it; nothing at all is ""'
            hint = "decimals are written with a point: 1.5" if is_half else common
            self._fault(path, event, f"{name} has no value", hint)
            return None
        return str(value)

    def _alias(self, event: yaml.AliasEvent, path: Path) -> Any:
        name = event.anchor or ""
        known = self._anchors.get(name)
        if known is None:
            self._fault(path, event, f"there is no anchor `&{name[:60]}` before this", "write the value itself")
            return None
        self._count(known.nodes, event)
        for below, place in known.places:
            self.places[path + below] = place
        return known.data

    def _count(self, nodes: int, event: yaml.Event) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            _stop(_place(event.start_mark), f"the file holds more than {MAX_NODES} values", "take out aliases")

    def _fault(self, path: Path, event: yaml.Event, message: str, hint: str) -> None:
        place = _place(event.start_mark)
        if isinstance(event, yaml.ScalarEvent) and event.value == "":
            place = self.places.get(path, place)
        self.faults.append(Fault(path, place, message, hint))
        if len(self.faults) > MAX_FAULTS:
            raise _Unreadable(self.faults[0])


class _Mark(Protocol):
    line: int
    column: int


def _place(mark: _Mark | None) -> Place:
    return Place(1, 1) if mark is None else Place(mark.line + 1, mark.column + 1)


def _stop(place: Place, message: str, hint: str) -> NoReturn:
    raise _Unreadable(Fault((), place, message, hint))
