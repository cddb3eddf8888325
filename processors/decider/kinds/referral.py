"""Rules of kind `referral`: points for referrer and referee, once, on a purchase of the referee inside a claim."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, field_validator

from processors.decider.fields.condition_source import FactTest
from processors.decider.fields.problems import Path, Problem, refuse_all, repeated
from processors.decider.fields.scalars import Flag, Whole
from processors.decider.kinds.rule import EarningRule, NumberedRule, Programme
from processors.decider.points import Counted

MAX_POINTS: Final = 1_000_000
MAX_CLAIM_RANK: Final = 1_000_000
MAX_LEAST_TOTAL: Final = 10**18


class ReferralRule(EarningRule):
    """Pays referrer and referee once, on a purchase of the referee inside a claim."""

    kind: Literal["referral"]
    referrer_points: Annotated[Whole, Field(ge=0, le=MAX_POINTS)] = Field(description="Points for the referrer.")
    referee_points: Annotated[Whole, Field(ge=0, le=MAX_POINTS)] = Field(description="Points for the referee.")
    min_amount_minor: Annotated[Whole, Field(ge=0, le=MAX_LEAST_TOTAL)] = Field(
        default=0, description="The order's least total."
    )
    claim_ranks: Annotated[tuple[Annotated[Whole, Field(ge=1, le=MAX_CLAIM_RANK)], ...], Field(min_length=1)] = Field(
        default=(1,), description="Which claims on a referee are paid, counted in the referee's journal order."
    )
    new_members: Flag = Field(default=False, description="Pay only on the referee's first purchase ever.")

    counts: ClassVar[str] = "referral"
    is_single: ClassVar[bool] = True
    unpaid: ClassVar[str] = "its conditions hold, but this referral was settled before"

    @field_validator("claim_ranks")
    @classmethod
    def _ranks_once(cls, ranks: tuple[int, ...]) -> tuple[int, ...]:
        refuse_all(repeated(ranks, "the rank"))
        return ranks

    def warnings(self, path: Path, programme: Programme) -> Iterator[Problem]:
        """A rule that pays neither side."""
        yield from super().warnings(path, programme)
        if self.referrer_points == self.referee_points == 0:
            message = f"the referral rule `{self.id}` pays nobody"
            yield Problem(path, message, "give one side points, or delete the rule")

    def counted(self) -> Counted:
        """The event, which pays each side its own points."""
        return Counted("event", points_of=Fraction)

    def tests(self) -> list[FactTest]:
        """The claim's rank, the order's total, and whether it is the referee's first purchase."""
        ranks = ", ".join(map(str, self.claim_ranks))
        tests = [
            FactTest(
                f"fact.claim_rank in {{{ranks}}}",
                "fact.claim_rank",
                lambda rank: f"the claim is number {rank} on this referee, it pays [{ranks}]",
            )
        ]
        if self.min_amount_minor:
            least = self.min_amount_minor
            tests.append(
                FactTest(
                    f"fact.amount_minor >= {least}",
                    "fact.amount_minor",
                    lambda total: f"the order's total is {total}, it asks for at least {least}",
                )
            )
        if self.new_members:
            tests.append(
                FactTest(
                    "fact.purchase_rank == 1",
                    "fact.purchase_rank",
                    lambda rank: f"it pays new members only, and this is purchase {rank} of the referee",
                )
            )
        return tests

    def source(self, numbered: NumberedRule) -> list[str]:
        """Settles the claim for this account, and pays its side."""
        return [
            "awards.claim_paid = claim",
            f"points = {self.referrer_points} if account.member_id == fact.referrer_id else {self.referee_points}",
            numbered.pay("points", "worth_of_event"),
        ]
