"""A programme's rules as frozen data: what docs/rules.md specifies, checked, in one shape for the decider.

Field names are those of the YAML file (`from` is `from_`). Decimals are exact; times are naive and local; every
refusal carries the path of what is wrong. No file, format or zone data is touched here.
"""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from processors.decider.fields.conditions import LineConditions, RulesetModel
from processors.decider.fields.example import Example
from processors.decider.fields.expiry_and_limit import Expiry, Limit, NoExpiry
from processors.decider.fields.problems import refusal, refuse_all
from processors.decider.fields.scalars import Id, Version
from processors.decider.kinds.registry import Rule
from processors.decider.kinds.rule import MAX_LIMITS
from processors.decider.rounding import Rounding
from processors.decider.rules.checks import check_examples, check_rules
from schemas.currencies import DECIMALS

MAX_RULES: Final = 200
MAX_TITLE_LENGTH: Final = 100
PRINTABLE: Final = r"^[^\x00-\x1f\x7f-\x9f]*$"
MAX_EXAMPLES: Final = 200


class Ruleset(RulesetModel):
    """One version of a programme's rules."""

    programme: Id = Field(description="The programme's name; also the name of the folder of this file.")
    title: Annotated[str, StringConstraints(min_length=1, max_length=MAX_TITLE_LENGTH, pattern=PRINTABLE)] | None = (
        Field(default=None, description="What people call the programme, in any language; shown beside its name.")
    )
    version: Version = Field(
        description="The version's name; also the name of this file. Never changed once published."
    )
    timezone: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(
        description="IANA name, such as Europe/Berlin; every date and hour in the file is local to it."
    )
    currency: str = Field(description="ISO 4217; purchases in another currency earn nothing.")
    rounding: Rounding = Field(default="floor", description="Default of all rules.")
    stacking: Literal["multiply", "add", "best"] = Field(
        default="multiply", description="How several multipliers combine."
    )
    expiry: Expiry = Field(
        default=NoExpiry(kind="none"), description="Default of all rules; without it points never expire."
    )
    exclude_lines: LineConditions | None = Field(default=None, description="Lines that no purchase rule counts.")
    limits: tuple[Limit, ...] = Field(default=(), max_length=MAX_LIMITS, description="Limits that rules may list.")
    rules: tuple[Rule, ...] = Field(min_length=1, max_length=MAX_RULES, description="What earns points, in order.")
    examples: tuple[Example, ...] = Field(
        default=(), max_length=MAX_EXAMPLES, description="Facts in, entries out; run by `rules check`."
    )

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, currency: str) -> str:
        if currency not in DECIMALS:
            raise refusal(
                f"`{currency[:20]}` is not an ISO 4217 currency", "write its three letters, such as EUR or USD"
            )
        return currency

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_all(check_rules(self.rules, self.limits) + check_examples(self.examples, self.rules))
        return self
