"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from processors.intake.formats import Format

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
MappingOption = Annotated[
    Path | None, typer.Option("--mapping", help="A YAML file that says which column is which field (CSV and Parquet).")
]
FormatOption = Annotated[
    Format | None, typer.Option("--format", help="What the files are, where neither content nor name tells.")
]
