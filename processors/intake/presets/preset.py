"""Finds presets by name, lays a shop's own settings over one, and says which settings only the shop can give."""

from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any, Final

import msgspec

from processors.intake.mapping import MappingRefused
from processors.intake.unknown_fields import nearest_name

PREFIX: Final = "preset:"
# What a preset's export does not tell, by the path of the setting: what is asked for, and how it may look.
_ASKED: Final = {
    "timezone": ("the zone of the shop's clock", "America/New_York"),
    "constants.currency": ("the currency of all amounts", "USD"),
    "source": ("a name for the system that the export comes from", "till-1"),
}


class Preset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping for one kind of export.

    `title` names the export. A file whose header has all columns of `recognised_by` is such an export. `needs` are the
    settings that the export does not tell, each a path such as `constants.currency`; `mapping` has all others.
    """

    title: str
    recognised_by: tuple[str, ...]
    mapping: dict[str, Any]
    needs: tuple[str, ...] = ()

    def settings(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of the preset with a shop's own ones over them."""
        return _laid_over(self.mapping, own)

    def missing(self, settings: Mapping[str, Any]) -> list[str]:
        """The settings that have to be given, and are not."""
        return [path for path in self.needs if _at(settings, path) is None]


def preset_names() -> tuple[str, ...]:
    """The names of all presets, in alphabetical order."""
    found = (item.name for item in files(__package__).iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml")))


def preset_text(name: str, where: str) -> str:
    """The YAML of a preset; `where` is what messages call the mapping that asks for it.

    Raises MappingRefused if there is none of that name.
    """
    names = preset_names()
    if name not in names:
        nearest = nearest_name(name, names)
        meant = f": is {nearest} meant?" if nearest else ":"
        raise MappingRefused(where, [("preset", f"there is no preset {name!r}{meant} There are {', '.join(names)}")])
    return files(__package__).joinpath(f"{name}.yaml").read_text("utf-8")


def parse_preset(document: object) -> Preset:
    """The preset that a parsed YAML document holds; raises msgspec.ValidationError, which no shipped one does."""
    return msgspec.convert(document, Preset)


def require_given(preset: Preset, name: str, settings: Mapping[str, Any], where: str) -> None:
    """Raises MappingRefused, with a file to write, if settings are missing that the preset cannot know."""
    missing = preset.missing(settings)
    if not missing:
        return
    problems = [(path, f"is missing: {_ASKED[path][0]}, which the export does not tell") for path in missing]
    advice = f"write your own values into a file of these lines, and name it with --mapping:\n{example(name, missing)}"
    raise MappingRefused(where, [*problems, ("(the whole file)", advice)])


def example(name: str, paths: Iterable[str], values: Mapping[str, str] | None = None) -> str:
    """The file that uses a preset and gives these settings, one a line; `values` are theirs, where they are known."""
    lines = [f"preset: {name}"]
    for path in paths:
        value = (values or {}).get(path) or _ASKED[path][1]
        group, dot, key = path.rpartition(".")
        lines.append(f"{group}: {{{key}: {value}}}" if dot else f"{key}: {value}")
    return "\n".join(f"  {line}" for line in lines)


def _laid_over(below: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with others over them: a group of settings key by key, anything else as a whole; "" takes one out.

    A field that now has a constant has no column any more, and the other way round.
    """
    settings = dict(below)
    for name, value in own.items():
        if isinstance(value, Mapping) and isinstance(settings.get(name), Mapping):
            value = {**settings[name], **value}  # noqa: PLW2901 - the group as a whole
        settings[name] = value
    for one, other in (("constants", "fields"), ("line_constants", "lines")):
        for given, freed in ((one, other), (other, one)):
            if isinstance(settings.get(freed), dict) and isinstance(own.get(given), Mapping):
                settings[freed] = {key: at for key, at in settings[freed].items() if key not in own[given]}
    return {name: _without_blanks(value) for name, value in settings.items() if value != ""}


def _without_blanks(value: Any) -> Any:
    return {key: at for key, at in value.items() if at != ""} if isinstance(value, dict) else value


def _at(settings: Mapping[str, Any], path: str) -> Any:
    found: Any = settings
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found
