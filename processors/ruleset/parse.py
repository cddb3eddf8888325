"""Reads a ruleset from its YAML text, and names file, line and path of everything that is wrong with it at once."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from processors.decider.fields.expiry_and_limit import Limit
from processors.decider.fields.problems import Path, Problem, nearest
from processors.decider.kinds.registry import Rule
from processors.decider.rules.checks import check_rules, find_warnings
from processors.decider.rules.ruleset import Ruleset
from processors.ruleset.errors import problems_of, value_at
from processors.ruleset.yaml_text import Place, Tree, read_yaml
from processors.zones import zone_names

MAX_ERRORS: Final = 50

Part = TypeVar("Part")
Told = TypeVar("Told", bound="Finding")

_RULE: Final[TypeAdapter[Rule]] = TypeAdapter(Rule)
_LIMIT: Final[TypeAdapter[Limit]] = TypeAdapter(Limit)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something at a place of a file; line and column count from 1, the path names rules and limits by their id."""

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}: "
        path = f"{self.path}: " if self.path else ""
        return where + path + self.message + (f" ({self.hint})" if self.hint else "")


class RulesetError(Finding):
    """Something that must be changed."""


class RulesetWarning(Finding):
    """Something that is allowed but cannot be meant."""


class RulesetRefused(Exception):
    """The text is no ruleset; `errors` has every reason, in the order of the file, at most MAX_ERRORS of them."""

    def __init__(self, errors: list[RulesetError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = errors


def ruleset_hash(text: str) -> str:
    """The name of a version's content: SHA-256 of its text in UTF-8, as hex."""
    return sha256(text.encode()).hexdigest()


def decode_ruleset(data: bytes, file: str) -> str:
    """The text of a ruleset file; raises RulesetRefused, with the line, if it is not UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        message = f"byte {data[error.start]:#04x} is not UTF-8"
        raise RulesetRefused([RulesetError(file, line, column, "", message, "save the file as UTF-8")]) from None


def parse_ruleset(text: str, file: str) -> tuple[Ruleset, list[RulesetWarning]]:
    """The ruleset that `text` says, and what in it cannot be meant, in the order of the file.

    `file` is only named in messages.

    Raises:
        RulesetRefused: with every error of the text.
    """
    tree = read_yaml(text)
    ruleset, problems = _validated(tree)
    at_fault = [Problem(fault.path, fault.message, fault.hint) for fault in tree.faults]
    errors = [
        RulesetError(file, *fault.place, _written(fault.path, tree.data), fault.message, fault.hint)
        for fault in tree.faults
    ]
    errors += [RulesetError(file, *_found(problem, tree)) for problem in problems if not _caused(problem, at_fault)]
    if ruleset is None or errors:
        raise RulesetRefused(_in_order(errors)[:MAX_ERRORS])
    return ruleset, _in_order([RulesetWarning(file, *_found(problem, tree)) for problem in find_warnings(ruleset)])


def place_of(text: str, path: Path) -> Place:
    """Where a path of a readable ruleset stands in its text: at its key or list item."""
    return _place(path, read_yaml(text).places)


def _validated(tree: Tree) -> tuple[Ruleset | None, list[Problem]]:
    """The ruleset or None, and the problems of the data beyond the faults of the YAML."""
    if tree.data is None:
        return None, []
    if not isinstance(tree.data, dict):
        return None, [Problem((), "a ruleset is a mapping", "begin with `programme: ...`")]
    problems = _zone_problems(tree.data)
    try:
        return Ruleset.model_validate(tree.data, by_alias=True, by_name=False), problems
    except ValidationError as error:
        problems += problems_of(error, tree.data)
        if any(detail["loc"] for detail in error.errors(include_url=False)):
            problems += _problems_between_sound_parts(tree.data, problems)
    return None, problems


def _zone_problems(data: dict[str, Any]) -> list[Problem]:
    name = data.get("timezone")
    if not isinstance(name, str) or name in zone_names():
        return []
    message = f"`{name[:60]}` is not a time zone{nearest(name, zone_names())}"
    return [Problem(("timezone",), message, "write an IANA name, such as Europe/Berlin")]


def _problems_between_sound_parts(data: dict[str, Any], problems: list[Problem]) -> list[Problem]:
    """What the check of the whole would say of the parts that are well formed, while others are not."""
    at_fault = {problem.path[:2] for problem in problems}
    rules, rule_places, broken = _sound("rules", data, _RULE, at_fault)
    limits, limit_places, more_broken = _sound("limits", data, _LIMIT, at_fault)
    places = {"rules": rule_places, "limits": limit_places}
    return [
        Problem((str(path[0]), places[str(path[0])][int(path[1])], *path[2:]), message, hint)
        for path, message, hint in check_rules(rules, limits, broken | more_broken)
    ]


def _sound(
    name: str, data: dict[str, Any], adapter: TypeAdapter[Part], at_fault: set[Path]
) -> tuple[list[Part], list[int], frozenset[str]]:
    """The well-formed items of a list with their places, and every text in the others (their ids are among them)."""
    parts: list[Part] = []
    places: list[int] = []
    broken: set[str] = set()
    items = data.get(name)
    for place, item in enumerate(items if isinstance(items, list) else ()):
        if (name, place) in at_fault:
            broken.update(
                value for value in (item.values() if isinstance(item, dict) else ()) if isinstance(value, str)
            )
        else:
            parts.append(adapter.validate_python(item, by_alias=True, by_name=False))
            places.append(place)
    return parts, places, frozenset(broken)


def _caused(problem: Problem, at_fault: list[Problem]) -> bool:
    """Whether a fault in the YAML already tells of this: at the same place, above it, or right below it."""
    return any(problem.path[: len(at.path)] == at.path or problem.path == at.path[:-1] for at in at_fault)


def _found(problem: Problem, tree: Tree) -> tuple[int, int, str, str, str]:
    place = _place(problem.path, tree.places)
    return place.line, place.column, _written(problem.path, tree.data), problem.message, problem.hint


def _place(path: Path, places: dict[Path, Place]) -> Place:
    """Where a path stands, or the nearest part of it that stands somewhere."""
    return next(places[path[:size]] for size in range(len(path), -1, -1) if path[:size] in places)


def _written(path: Path, data: Any) -> str:
    """A path as people read it, with the ids of rules and limits: rules[double-tuesday].factor."""
    text = ""
    for size, part in enumerate(path, start=1):
        if isinstance(part, str):
            text += f".{part}" if text else part
        else:
            name = value_at((*path[:size], "id"), data)
            text += f"[{name if isinstance(name, str) and path[0] != 'examples' else part}]"
    return text


def _in_order(errors: list[Told]) -> list[Told]:
    """Each once (a part with aliases is checked at every use), in the order of the file."""
    once = {(error.line, error.column, error.message): error for error in reversed(errors)}
    return sorted(once.values(), key=lambda error: (error.line, error.column))
