"""What is said of the fields in files that no event has, and of rows that a mapping leaves out."""

from processors.intake.mapping import ENDS_AT, FIRST_CELL
from processors.intake.unknown_fields import UnknownFields
from tallybook.folder.inputs import unknown_lines


def test_a_field_that_no_event_has_is_named_with_how_often_it_came() -> None:
    unknown = UnknownFields()
    unknown.add("app", "ReviewSubmitted", "product", ("sku",))
    for _ in range(1_200):
        unknown.add("app", "ReferralMade", "referee", ("referee_id",))
    assert set(unknown_lines(unknown)) == {
        "app: ReviewSubmitted has no field product (1 time, ignored)",
        "app: ReferralMade has no field referee (1,200 times, ignored); did you mean referee_id?",
    }


def test_rows_that_are_left_out_are_told_by_name_and_value() -> None:
    unknown = UnknownFields()
    for _ in range(3):
        unknown.leave_out("Event Type", "Refund")
    unknown.leave_out(FIRST_CELL, "合计")
    unknown.leave_out(ENDS_AT, "the table ends")
    assert unknown_lines(unknown) == [
        "3 rows left out, as the mapping says: Event Type is 'Refund'",
        "1 row left out, as the mapping says: the first cell is '合计'",
        "1 row left out, as the mapping says: the table ends",
    ]
