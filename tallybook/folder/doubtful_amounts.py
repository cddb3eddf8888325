"""Finds files whose amounts are not what was paid for each line in cents: totals repeated on lines, whole dollars."""

import msgspec

from processors.intake.input_files import Input
from processors.intake.mapping import columns_of
from processors.intake.refusal import quoted
from schemas.currencies import DECIMALS, format_minor
from schemas.facts import PurchaseRecorded

# So many orders of several rows, each with one amount on all of its rows, are no chance.
ENOUGH_ORDERS = 5
# Of so many lines, nine of ten cost less than one euro, or whatever the currency is, only where the file says euros.
ENOUGH_LINES = 20
SMALL_ONE_IN = 10


class Amounts(msgspec.Struct):
    """Looks at the amounts of one file.

    `several` counts the orders of several rows, and `repeated` those of them that have one amount above 0 on all rows;
    `different` holds two such amounts at most. `lines` counts the lines above 0 in currencies with decimals, and
    `small` those of them below one whole unit.
    """

    several: int = 0
    repeated: int = 0
    different: set[int] = msgspec.field(default_factory=set)
    example: PurchaseRecorded | None = None
    lines: int = 0
    small: int = 0

    def look_at(self, order: PurchaseRecorded) -> None:
        """Look at one order."""
        amounts = [line.amount_minor for line in order.lines]
        if len(amounts) > 1:
            self.several += 1
            if amounts[0] > 0 and amounts.count(amounts[0]) == len(amounts):
                self.repeated += 1
                if len(self.different) < 2:
                    self.different.add(amounts[0])
                self.example = self.example or order
        unit = 10 ** DECIMALS.get(order.currency, 0)
        if unit > 1:
            self.lines += sum(amount > 0 for amount in amounts)
            self.small += sum(0 < amount < unit for amount in amounts)

    def of_totals(self, one: Input) -> str | None:
        """What to say where an order's total seems to stand on each of its rows; None if it does not.

        Amounts that are computed are none that a file repeats. Where all are one price, that is the price.
        """
        source = None if one.mapping is None or one.mapping.group_by is None else one.mapping.lines.get("amount_minor")
        order = self.example
        if order is None or not isinstance(source, str):
            return None
        if self.several < ENOUGH_ORDERS or self.repeated < self.several or len(self.different) == 1:
            return None
        amount = format_minor(order.lines[0].amount_minor, order.currency)
        return (
            f"{one.shown}: each of the {self.several:,} orders of several rows has one amount on all of them: "
            f"{quoted(columns_of(source)[0])} is {amount} in all {len(order.lines):,} rows of order "
            f"{quoted(order.order_id)}. If that is the order's total, it counts once for each row: map the column with "
            "what was paid for the line, amount_minor: COLUMN"
        )

    def of_units(self, one: Input) -> str | None:
        """What to say where amounts that are taken as they stand seem to be whole dollars; None if they do not."""
        is_scaled = one.mapping is not None and "amount_minor" in one.mapping.scale
        if is_scaled or self.lines < ENOUGH_LINES or (self.lines - self.small) * SMALL_ONE_IN > self.lines:
            return None
        mend = "in the file" if one.mapping is None else "with scale: {amount_minor: currency} in the mapping"
        keep = "" if one.mapping is None else ", and scale: {amount_minor: 1} says so"
        return (
            f"{one.shown}: {self.small:,} of {self.lines:,} lines cost less than 1.00. amount_minor is read as "
            f"minor units (cents), so 25 is 0.25: if these are whole units (dollars), mend that {mend}; if they are "
            f"minor units, nothing is wrong{keep}"
        )
