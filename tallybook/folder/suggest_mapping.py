"""Proposes a mapping for a file as YAML, and adds as comments the first event that it would make of the file."""

from pathlib import Path
from typing import Any, Final

import msgspec

from processors.intake.input_files import open_input
from processors.intake.input_records import InputRefused, Read
from processors.intake.mapping import MappingRefused
from processors.intake.suggest.cells_seen import Home
from processors.intake.suggest.look import look_at
from processors.intake.suggest.propose import propose, source_name
from processors.intake.suggest.yaml_text import as_yaml
from processors.ruleset.yaml_text import read_yaml
from schemas.facts import PublishedFact
from schemas.instants import format_instant
from tallybook.folder.folder import Folder, read_ruleset
from tallybook.folder.mapping_files import mapping_of, read_presets

MAX_RECORDS: Final = 200


def suggest_mapping(file: Path, folder: Folder) -> str:
    """The YAML of a mapping that fits a CSV file, with the file's first event in comments below it.

    What the file does not tell is that of the folder's rules, if it has any.

    Raises:
        InputRefused: the file is no CSV.
        RulesetRefused: the folder's rules have errors.
    """
    table = look_at(file, str(file))
    text = as_yaml(propose(table, read_presets(), source_name(file.name), _home(folder)), file.name)
    return text + "".join(f"# {line}".rstrip() + "\n" for line in _first_event(file, text))


def _home(folder: Folder) -> Home | None:
    files = folder.ruleset_files()
    if not files:
        return None
    _, ruleset = read_ruleset(files[-1])
    return Home(ruleset.currency, ruleset.timezone)


def _first_event(file: Path, text: str) -> list[str]:
    """What a mapping would make of the first records of a file, in lines."""
    try:
        mapping = mapping_of(read_yaml(text).data, "this mapping")
        records = open_input(file, "csv", mapping, shown=file.name).records()
        read = [one for one, _ in zip(records, range(MAX_RECORDS), strict=False)]
    except (MappingRefused, InputRefused) as refused:
        return ["", "It cannot be used as it stands:", *str(refused).splitlines()]
    fact = next((one.fact for one in read if one.fact is not None), None)
    lines = ["", "The first event that it makes:", *_as_lines(fact)] if fact is not None else []
    return [*lines, *_refused(read)]


def _as_lines(fact: PublishedFact) -> list[str]:
    document: dict[str, Any] = {"type": type(fact).__name__, **msgspec.to_builtins(fact)}
    document["occurred_at"] = format_instant(fact.occurred_at)
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode().splitlines()


def _refused(read: list[Read]) -> list[str]:
    refused = [one for one in read if one.refusal is not None]
    if not refused or refused[0].refusal is None:
        return []
    many = f"Of the first {len(read):,} records {len(refused):,} would be refused"
    first = refused[0].refusal
    return ["", f"{many}, the first of them in line {refused[0].at_line}:", f"{first.reason}: {first.message}"]
