"""How a ruleset is refused: problems with their paths and hints, and the small phrases that messages share."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic_core import PydanticCustomError

Path = tuple[str | int, ...]


class Problem(NamedTuple):
    """Something wrong at a path (keys and list positions from where the check began), and what to change."""

    path: Path
    message: str
    hint: str = ""


def refusal(message: str, hint: str = "") -> PydanticCustomError:
    """What a validator raises to refuse a value: the message and the hint travel with it."""
    return PydanticCustomError("refused", "{message}", {"message": message, "hint": hint})


def refuse_all(problems: list[Problem]) -> None:
    """Raise PydanticCustomError in the model that is being validated if there are problems; it carries all of them."""
    if problems:
        summary = "; ".join(problem.message for problem in problems)
        raise PydanticCustomError("problems", "{message}", {"message": summary, "problems": tuple(problems)})


def shown(value: Any) -> str:
    """A value as the message shows it: short, on one line."""
    if isinstance(value, str):
        return f"`{value[:60]}`" if value else "an empty text"
    if isinstance(value, float):
        return "a binary float"
    return {dict: "a mapping", list: "a list", type(None): "nothing"}.get(type(value), f"`{str(value)[:60]}`")


def first_repeated(values: tuple[Any, ...]) -> int | None:
    """The position of the first value that stood before, or None."""
    seen = set()
    for position, value in enumerate(values):
        if value in seen:
            return position
        seen.add(value)
    return None


def repeated(values: tuple[Any, ...], what: str) -> list[Problem]:
    """The problem of the first value that stood before; `what` says what the values are, such as "the limit"."""
    position = first_repeated(values)
    if position is None:
        return []
    return [Problem((position,), f"{what} `{values[position]}` is listed twice", "delete one")]


def nearest(word: str, known: Sequence[str]) -> str:
    """`; did you mean ...?` if a known word is near, else nothing."""
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean `{near[0]}`?" if near else ""


def listed(names: Sequence[str], bound: int = 12) -> str:
    """Names with commas between them, at most `bound` of them."""
    shown_names = ", ".join(names[:bound]) or "(none)"
    return f"{shown_names}, …" if len(names) > bound else shown_names
