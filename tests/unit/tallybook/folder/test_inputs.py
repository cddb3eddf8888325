"""What is said of the fields in files that no event has."""

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
