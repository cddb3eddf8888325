"""A page put together from parts has the bytes that the codecs write."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.avro.codecs import encode_fact, encode_page
from schemas.avro.page_parts import line_part, page_of_parts
from schemas.facts import JournalFact
from schemas.pages import JournalLine, JournalPage
from tests.support.struct_values import values


def part(line: JournalLine) -> bytes:
    fact: JournalFact = line.fact
    body = encode_fact(fact)
    name = type(fact).__name__
    return line_part(name, body, line.received_at, line.member_id, input_number=line.input, record=line.record)


@given(st.lists(values(JournalLine), max_size=4), st.lists(st.text(max_size=9), max_size=3))
def test_a_page_of_parts_is_the_page(lines: list[JournalLine], inputs: list[str]) -> None:
    page = JournalPage(0, tuple(lines), tuple(inputs))
    assert page_of_parts([part(line) for line in lines], inputs) == encode_page(page)
