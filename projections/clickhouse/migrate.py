"""Brings the tables and views of a store up to what this version of Tallybook writes and reads."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from projections.sql_files import SqlFile, sql_files
from projections.store import Row, Store, StoreError, renewal

_NO_VIEW: Final = ""
_NUMBERED: Final = re.compile(r"(\d{4})_[a-z0-9_]+")


class MigrationChanged(StoreError):
    """A published migration differs from the one that made the tables."""


class StoreTooNew(StoreError):
    """The tables were made by a later version of Tallybook."""


def migrate(store: Store, migrations: Sequence[SqlFile] | None = None, views: Sequence[SqlFile] | None = None) -> None:
    """Apply the migrations that the store lacks, then make each reader view anew whose text has changed.

    Every step may be cut short and repeated, and several processes of one version may do so at once: each step makes
    what is not there yet, and all of them note the same rows. `migrations` and `views` default to those of this
    package.

    Raises:
        MigrationChanged: an applied migration has another text now.
        StoreTooNew: the store has migrations that are not among `migrations`.
        AssertionError: the migrations are not numbered 1, 2, 3, …
    """
    _apply_migrations(store, sql_files("migrations") if migrations is None else migrations)
    _renew_views(store, sql_files("views") if views is None else views)


def _apply_migrations(store: Store, migrations: Sequence[SqlFile]) -> None:
    applied = {int(str(row["number"])): row for row in _if_there(store, "migrations", "number, name, sha256")}
    _check(migrations, applied, renewal(store))
    fresh = [(number, each) for number, each in enumerate(migrations, start=1) if number not in applied]
    for _, migration in fresh:
        store.command(migration.statement)
    # Recorded last and all at once: if the process ends before, they are applied again, which changes nothing.
    if fresh:
        store.insert(
            "migrations",
            {
                "number": [number for number, _ in fresh],
                "name": [each.name for _, each in fresh],
                "sha256": [each.sha256 for _, each in fresh],
            },
        )


def _check(migrations: Sequence[SqlFile], applied: Mapping[int, Row], how_to_renew: str) -> None:
    for expected, migration in enumerate(migrations, start=1):
        numbered = _NUMBERED.fullmatch(migration.name)
        if numbered is None or int(numbered[1]) != expected:
            raise AssertionError(f"{migration.name}.sql should be number {expected:04} of the migrations")
        before = applied.get(expected)
        if before is not None and before["sha256"] != migration.sha256:
            raise MigrationChanged(
                f"projections/migrations/{migration.name}.sql differs from the {before['name']}.sql that made these "
                "tables. A published migration never changes: put it back and write a new one with the next number, or "
                f"{how_to_renew}."
            )
    if applied and max(applied) > len(migrations):
        raise StoreTooNew(
            f"these tables were made by a later version of Tallybook (migration {applied[max(applied)]['name']}); use "
            f"that version, or {how_to_renew}."
        )


def _renew_views(store: Store, views: Sequence[SqlFile]) -> None:
    made = {str(row["name"]): row for row in _if_there(store, "reader_views", "name, sha256, version")}
    wanted = {view.name: view.sha256 for view in views}
    # A view that is dropped stays noted, without a text, so that it is made again should it come back.
    wanted |= dict.fromkeys(made.keys() - wanted.keys(), _NO_VIEW)
    changed = [name for name, text in wanted.items() if name not in made or made[name]["sha256"] != text]
    statements = {view.name: view.statement for view in views}
    for name in changed:
        if name in statements:
            store.command(statements[name])
        else:
            store.command("DROP VIEW IF EXISTS tallybook.{name:Identifier}", {"name": name})
    if changed:
        store.insert(
            "reader_views",
            {
                "name": changed,
                "sha256": [wanted[name] for name in changed],
                "version": [int(str(made[name]["version"])) + 1 if name in made else 1 for name in changed],
            },
        )


def _if_there(store: Store, table: str, columns: str) -> list[Row]:
    """The rows of a table of this module's own, or none if a first run has not made it yet."""
    there = store.rows(
        "SELECT 1 AS there FROM system.tables WHERE database = 'tallybook_rows' AND name = {table:String}",
        {"table": table},
    )
    return store.rows(f"SELECT {columns} FROM tallybook_rows.{table} FINAL") if there else []
