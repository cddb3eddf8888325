"""Reads what `--mapping` names: a YAML file, a preset, or a file that gives a preset what it cannot know."""

from pathlib import Path
from typing import Any

from processors.intake.mapping import ColumnMapping, MappingRefused, parse_mapping
from processors.intake.presets.preset import PREFIX, Preset, parse_preset, preset_names, preset_text, require_given
from processors.ruleset.parse import decode_ruleset
from processors.ruleset.yaml_text import read_yaml
from tallybook.folder.folder import FolderRefused


def read_mapping(named: Path) -> ColumnMapping:
    """Read the column mapping that `--mapping` names: `preset:NAME`, or a YAML file, which may begin with `preset:`.

    Raises:
        FolderRefused: the file is not there, or no YAML.
        MappingRefused: there is no such preset, or a setting is wrong or missing.
    """
    name = str(named)
    is_preset = name.startswith(PREFIX)
    return mapping_of({"preset": name.removeprefix(PREFIX)} if is_preset else _yaml_of(named), name)


def mapping_of(document: object, where: str) -> ColumnMapping:
    """The mapping that a parsed YAML document holds, which may name a preset; `where` is its file, for messages.

    Raises MappingRefused.
    """
    if isinstance(document, dict) and "preset" in document:
        return _of_preset(document, where)
    return parse_mapping(document, where)


def read_presets() -> dict[str, Preset]:
    """Read all presets, by name."""
    return {name: read_preset(name, PREFIX + name) for name in preset_names()}


def read_preset(name: str, where: str) -> Preset:
    """Read a preset; raises MappingRefused if there is none of that name. `where` asks for it, in messages."""
    tree = read_yaml(preset_text(name, where))
    return parse_preset(tree.data)


def _of_preset(document: dict[str, Any], where: str) -> ColumnMapping:
    own = dict(document)
    name = own.pop("preset")
    if not isinstance(name, str):
        raise MappingRefused(where, [("preset", f"is the name of a preset: one of {', '.join(preset_names())}")])
    preset = read_preset(name, where)
    settings = preset.settings(own)
    require_given(preset, name, settings, where)
    return parse_mapping(settings, where)


def _yaml_of(file: Path) -> object:
    try:
        text = decode_ruleset(file.read_bytes(), str(file))
    except OSError as error:
        presets_there = ", ".join(f"{PREFIX}{name}" for name in preset_names())
        hint = f"Name the YAML file of the column mapping, or a preset: {presets_there}"
        raise FolderRefused(f"{file}: {error.strerror}. {hint}.") from error
    if not text.strip():
        raise FolderRefused(f"{file}: the mapping is empty: it has settings such as type, source, fields and lines")
    tree = read_yaml(text)
    if tree.faults:
        fault = tree.faults[0]
        raise FolderRefused(f"{file}:{fault.place.line}:{fault.place.column}: {fault.message} ({fault.hint})")
    return tree.data
