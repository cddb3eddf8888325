"""Proposes a mapping for a file as YAML, and adds as comments the first event that it would make of the file."""

import tempfile
from pathlib import Path
from typing import Any, Final

import msgspec

from processors.intake.formats import Format
from processors.intake.input_files import open_input
from processors.intake.input_records import InputRefused, Read
from processors.intake.mapping import MappingRefused
from processors.intake.suggest.cells_seen import Home
from processors.intake.suggest.look import Table, look_at, whole_lines
from processors.intake.suggest.propose import propose, source_name
from processors.intake.suggest.yaml_text import as_yaml
from processors.intake.unknown_fields import UnknownFields
from processors.ruleset.yaml_text import read_yaml
from schemas.facts import PublishedFact
from schemas.instants import format_instant
from tallybook.folder.folder import Folder, read_ruleset
from tallybook.folder.inputs import unknown_lines
from tallybook.folder.mapping_files import mapping_of, read_presets
from tallybook.screen import counted

_PARQUET: Final = b"PAR1"


def suggest_mapping(file: Path, folder: Folder) -> str:
    """The YAML of a mapping that fits a CSV or Parquet file, with the file's first event in comments below it.

    What the file does not tell is that of the folder's rules, if it has any.

    Raises:
        InputRefused: the file is neither.
        RulesetRefused: the folder's rules have errors.
    """
    table = _table_of(file)
    text = as_yaml(propose(table, read_presets(), source_name(file.name), _home(folder)), file.name)
    return text + "".join(f"# {line}".rstrip() + "\n" for line in _first_event(file, text))


def _is_parquet(file: Path) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        return stream.read(len(_PARQUET)) == _PARQUET


def _table_of(file: Path) -> Table:
    if not _is_parquet(file):
        return look_at(file, str(file))
    from processors.intake.suggest.look_at_parquet import look_at_parquet

    return look_at_parquet(file, str(file))


def _write_beginning(file: Path, target: Path) -> Format:
    """Write what is looked at of a file as a file of its own; the format of both."""
    if not _is_parquet(file):
        target.write_bytes(whole_lines(file))
        return "csv"
    from processors.intake.suggest.look_at_parquet import write_beginning

    write_beginning(file, str(file), target)
    return "parquet"


def _home(folder: Folder) -> Home | None:
    files = folder.ruleset_files()
    if not files:
        return None
    _, ruleset = read_ruleset(files[-1])
    return Home(ruleset.currency, ruleset.timezone)


def _first_event(file: Path, text: str) -> list[str]:
    """What a mapping would make of the beginning of a file, in lines."""
    unknown = UnknownFields()
    try:
        mapping = mapping_of(read_yaml(text).data, "this mapping")
        with tempfile.TemporaryDirectory(prefix="tallybook-") as scratch:
            beginning = Path(scratch) / "beginning"
            form = _write_beginning(file, beginning)
            read = list(open_input(beginning, form, mapping, file.name).records(unknown))
    except (MappingRefused, InputRefused) as refused:
        return ["", "It cannot be used as it stands:", *str(refused).splitlines()]
    fact = next((one.fact for one in read if one.fact is not None), None)
    lines = ["", "The first event that it makes:", *_as_lines(fact)] if fact is not None else []
    left_out = unknown_lines(unknown)
    return [*lines, *([""] if left_out else []), *left_out, *_refused(read)]


def _as_lines(fact: PublishedFact) -> list[str]:
    document: dict[str, Any] = {"type": type(fact).__name__, **msgspec.to_builtins(fact)}
    document["occurred_at"] = format_instant(fact.occurred_at)
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode().splitlines()


def _refused(read: list[Read]) -> list[str]:
    refused = [one for one in read if one.refusal is not None]
    if not refused or refused[0].refusal is None:
        return []
    many = f"{len(refused):,} of the first {counted(len(read), 'order')} would be refused"
    first = refused[0].refusal
    return ["", f"{many}, to begin with that of line {refused[0].at_line}:", f"{first.reason}: {first.message}"]
