"""How a ruleset shows what it means: an example is a short history of facts and what they must earn."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from processors.decider.ruleset_conditions import RulesetModel


class Example(RulesetModel):
    """Facts in, entries out."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(description="What it shows.")
