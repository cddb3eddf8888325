"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from processors.intake.formats import Format

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PointValue = Annotated[
    str, typer.Option("--point-value", help="What a point is worth, such as '0.01 EUR'; without it no money.")
]
MappingOption = Annotated[
    Path | None,
    typer.Option(
        "--mapping", help="Which column is which field (CSV, Parquet): a YAML file, or preset:NAME for a known export."
    ),
]
FormatOption = Annotated[
    Format | None, typer.Option("--format", help="What the files are, where neither content nor name tells.")
]

MILLION = 1_000_000
PER_CENT = 10_000  # of a million


def per_million(sample: str) -> int:
    """Read a percentage such as `5%` as so many of a million."""
    try:
        per_cent = float(sample.removesuffix("%"))
    except ValueError:
        per_cent = 0.0
    if not 1 <= per_cent * PER_CENT <= MILLION:
        raise typer.BadParameter(f"--sample {sample!r}: write a percentage from 0.0001% to 100%, such as 5%")
    return round(per_cent * PER_CENT)
