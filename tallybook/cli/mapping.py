"""The command that helps with column mappings: `mapping suggest` proposes one for a file."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tallybook.folder.folder import Folder

app = typer.Typer(no_args_is_help=True, help="Propose which column of a CSV or Parquet file is which field.")


@app.callback()
def _group() -> None:
    """Keep `mapping` a group, although it has one command."""


@app.command()
def suggest(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A CSV or Parquet file as a till or a shop exports it.")],
) -> None:
    """Propose a mapping for a CSV or Parquet file, as YAML, with the first event that it would make.

    Looks at the names of the columns and at the first rows, and names the preset that fits, if one does. What the file
    does not tell, such as its currency, is that of the folder's rules. What is unsure is marked: look at it before you
    use it.

    Example: tallybook mapping suggest sales.csv > sales.yaml
    """
    from tallybook.folder.suggest_mapping import suggest_mapping

    sys.stdout.write(suggest_mapping(file, Folder(context.obj)))
