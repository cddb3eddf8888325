"""What the door admits, what it refuses, and that its quick way and its slow way agree."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.intake.diagnosis import diagnose
from processors.intake.door import LATEST_AT, admit, admit_json, judge_time
from processors.intake.fact_shapes import SHAPES, build
from processors.intake.normal_form import normal_form
from processors.intake.refusal import MAX_MESSAGE, Problem
from processors.intake.unknown_fields import MAX_UNKNOWN_FIELDS, UnknownFields
from schemas.bounds import DAY_MS, EARLIEST_AT, MAX_AMOUNT_MINOR, MAX_EVENT_BYTES, MAX_FUTURE_MS, MAX_QUANTITY_MILLI
from schemas.facts import PUBLISHED_TYPES, CheckedIn, PublishedFact, PurchaseRecorded, order_total_minor
from tests.fuzz.mutations import ODD_VALUES
from tests.support.fact_samples import (
    AT,
    AT_MS,
    CHECK_IN,
    EVENTS,
    PURCHASE,
    REFERRAL,
    REVIEW,
    SHARE,
    admitted,
    json_of,
    plain,
    refused,
)

# What messages say of ids for which the contract has no words.
BEYOND_THE_CONTRACT = (
    "bytes of UTF-8",
    "many people would share one account",
    "its last digits are lost",
    "letters of it were lost",
    "a spreadsheet could not show",
)
TYPES = {kind.__name__: kind for kind in PUBLISHED_TYPES}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["type"])
def test_every_kind_is_admitted_as_json_and_as_a_document(event: dict[str, Any]) -> None:
    fact = admitted(admit_json(json_of(event)))
    assert type(fact) is TYPES[event["type"]]
    assert plain(fact) == event | {"occurred_at": AT_MS}
    assert admit(event) == fact


@pytest.mark.parametrize("kind", PUBLISHED_TYPES, ids=lambda kind: kind.__name__)
def test_a_shape_has_the_fields_of_its_fact(kind: type[PublishedFact]) -> None:
    shape = SHAPES[kind.__name__]
    assert shape.__struct_fields__ == kind.__struct_fields__
    required = [field.name for field in msgspec.structs.fields(kind) if field.required]
    assert [field.name for field in msgspec.structs.fields(shape) if field.required] == required
    assert shape.__struct_config__.tag == kind.__struct_config__.tag


def test_a_shape_is_built_into_the_fact_it_holds() -> None:
    event = PURCHASE | {"occurred_at": AT_MS, "referrer_id": "m-2", "attributes": {"a": "b"}, "tender": "card"}
    assert build(msgspec.convert(event, SHAPES["PurchaseRecorded"])) == msgspec.convert(event, PurchaseRecorded)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (AT, AT_MS),
        (AT_MS, AT_MS),
        ("2026-11-11T12:11:11+01:00", AT_MS),
        ("2026-11-11 11:11:11.5Z", AT_MS + 500),
        (EARLIEST_AT, EARLIEST_AT),
        (LATEST_AT, LATEST_AT),
    ],
)
def test_an_instant_is_taken_as_text_or_as_milliseconds(written: object, expected: int) -> None:
    assert admitted(admit_json(json_of(CHECK_IN, occurred_at=written))).occurred_at == expected


def test_greatest_values_are_admitted() -> None:
    line = {"sku": "x" * 200, "amount_minor": MAX_AMOUNT_MINOR, "quantity_milli": MAX_QUANTITY_MILLI}
    fact = admitted(admit_json(json_of(PURCHASE, lines=[line, {"sku": "y", "amount_minor": 0, "quantity_milli": 0}])))
    assert isinstance(fact, PurchaseRecorded)
    assert [line.amount_minor for line in fact.lines] == [MAX_AMOUNT_MINOR, 0]
    assert plain(admitted(admit_json(json_of(PURCHASE, lines=[]))))["lines"] == []


def test_an_order_may_have_lines_that_take_something_off() -> None:
    lines = [
        {"sku": "office-chair", "amount_minor": 7000},
        {"sku": "10% on your order", "amount_minor": -700, "unit_price_minor": -700},
        {"sku": "empties", "amount_minor": -300, "quantity_milli": -12_000},
        {"sku": "sample", "amount_minor": 0, "quantity_milli": -1000},
    ]
    fact = admitted(admit_json(json_of(PURCHASE, lines=lines)))
    assert isinstance(fact, PurchaseRecorded)
    assert order_total_minor(fact) == 6000
    assert admit(PURCHASE | {"lines": lines}) == fact
    nothing_left = [{"sku": "a", "amount_minor": 500}, {"sku": "voucher", "amount_minor": -500}]
    assert len(plain(admitted(admit_json(json_of(PURCHASE, lines=nothing_left))))["lines"]) == 2


@pytest.mark.parametrize(
    ("lines", "reason", "field", "says"),
    [
        (
            [(500, 1000), (-600, 1000)],
            "negative_order",
            "lines",
            "add up to -1.00 EUR, which is below 0: send what was",
        ),
        ([(-1, 1000)], "negative_order", "lines", "add up to -0.01 EUR, which is below 0"),
        (
            [(0, 1000), (5, -1)],
            "out_of_range",
            "lines[1].quantity_milli",
            "lines[1].quantity_milli is -1 and the line's",
        ),
        ([(10**13, 1000), (1, 1000), (-1, 1000)], "out_of_range", "lines", "add up to 10,000,000,000,001: at most"),
        ([(0, 10**12), (0, 1), (0, -1)], "out_of_range", "lines", "quantity_milli add up to 1,000,000,000,001"),
        ([(-(10**13) - 1, 1000)], "out_of_range", "lines[0].amount_minor", "it must be -10000000000000 or more"),
    ],
)
def test_lines_that_take_off_too_much_are_refused(
    lines: list[tuple[int, int]], reason: str, field: str, says: str
) -> None:
    written = [{"sku": "a", "amount_minor": amount, "quantity_milli": quantity} for amount, quantity in lines]
    for judged in (admit_json(json_of(PURCHASE, lines=written)), admit(PURCHASE | {"lines": written})):
        refusal = refused(judged)
        assert (refusal.reason, refusal.field) == (reason, field)
        assert says in refusal.message


def test_a_guest_and_a_buyer_who_names_himself_are_admitted() -> None:
    assert plain(admitted(admit_json(json_of(PURCHASE, member_id=None)))).get("member_id") is None
    assert plain(admitted(admit_json(json_of(PURCHASE, referrer_id="m-1"))))["referrer_id"] == "m-1"


def test_text_keeps_what_is_no_control_character() -> None:
    written = 'Müller “Ä” \u2028 日本 😀 \x85 \\ " /'
    for raw in (json_of(CHECK_IN, store_id=written), json.dumps(CHECK_IN | {"store_id": written}, ensure_ascii=False)):
        fact = admitted(admit_json(raw if isinstance(raw, bytes) else raw.encode()))
        assert plain(fact)["store_id"] == written


def test_size_is_bounded_before_anything_is_read() -> None:
    raw = json_of(CHECK_IN)
    assert admitted(admit_json(raw.ljust(MAX_EVENT_BYTES))) == admit_json(raw)
    assert refused(admit_json(raw.ljust(MAX_EVENT_BYTES + 1))).reason == "too_large"


def test_a_refusal_says_which_event_it_was() -> None:
    refusal = refused(admit_json(json_of(CHECK_IN, member_id=[7])))
    assert (refusal.fact_type, refusal.source, refusal.event_id) == ("CheckedIn", "app", "e-2")
    assert refusal.occurred_at == AT_MS
    nameless = refused(admit_json(json_of(CHECK_IN, source="s" * 99, event_id=["x"], occurred_at="soon")))
    assert (nameless.source, nameless.event_id, nameless.occurred_at) == ("s" * 64, "", None)


def test_a_message_is_bounded_and_printable() -> None:
    refusal = refused(admit_json(json_of(CHECK_IN, type="\x1b[2J\n" * 10_000)))
    assert len(refusal.message) <= MAX_MESSAGE
    assert refusal.message.isprintable()


@pytest.mark.parametrize("written", ["{a}:1,{a}:2", "{a}: 1, {a} : 2", "{a}\t:1,{a}:2", '{a}:"\\":",{a}:1'])
def test_a_key_given_twice_is_refused_however_it_is_spaced(written: str) -> None:
    pair = written.replace("{a}", '"store_id"')
    raw = json_of(CHECK_IN)[:-1] + b"," + pair.encode() + b"}"
    refusal = refused(admit_json(raw))
    assert (refusal.reason, refusal.field) == ("malformed", "store_id")


def test_a_colon_behind_a_quote_within_a_text_is_no_key() -> None:
    assert plain(admitted(admit_json(json_of(CHECK_IN, store_id='a":b" :'))))["store_id"] == 'a":b" :'


def test_unknown_fields_are_ignored_counted_and_told_with_the_nearest_name() -> None:
    unknown = UnknownFields()
    event = json_of(
        PURCHASE, memberId="m-1", zzz={"a": [1]}, lines=[{"sku": "a", "amount_minor": 1, "amountMinor": 1}] * 2
    )
    for _ in range(3):
        assert admitted(admit_json(event, unknown)) == admitted(admit_json(event))
    assert [(one.field, one.count, one.nearest) for one in unknown.report()] == [
        ("lines[].amountMinor", 6, "lines[].amount_minor"),
        ("memberId", 3, "member_id"),
        ("zzz", 3, ""),
    ]
    assert {(one.source, one.fact_type) for one in unknown.report()} == {("pos", "PurchaseRecorded")}


def test_unknown_fields_are_counted_within_a_bound() -> None:
    unknown = UnknownFields()
    for number in range(MAX_UNKNOWN_FIELDS + 5):
        unknown.add("pos", "CheckedIn", f"\x1bx{number}", ("member_id",))
    assert len(unknown.report()) == MAX_UNKNOWN_FIELDS
    assert unknown.overflow == 5
    assert all(one.field.isprintable() for one in unknown.report())


def test_cloud_event_gives_what_its_data_leaves_out() -> None:
    envelope = {"specversion": "1.0", "id": "e-2", "source": "app", "type": "com.shop.CheckedIn", "time": AT}
    assert admit_json(json_of(envelope, data={"member_id": "m-1"})) == admit_json(json_of(CHECK_IN))
    own = CHECK_IN | {"event_id": "own", "source": "own"}
    assert plain(admitted(admit_json(json_of(envelope, data=own))))["event_id"] == "own"


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (AT_MS + MAX_FUTURE_MS, None),
        (AT_MS + MAX_FUTURE_MS + 1, "too_early"),
        (AT_MS - 90 * DAY_MS, None),
        (AT_MS - 90 * DAY_MS - 1, "too_old"),
    ],
)
def test_time_is_judged_by_the_earlier_clock_and_the_horizon(at: int, reason: str | None) -> None:
    fact = CheckedIn("app", "e-1", at, "m-1")
    for received_at, now in ((AT_MS, AT_MS + DAY_MS), (AT_MS + DAY_MS, AT_MS)):
        refusal = judge_time(fact, received_at=received_at, last_tick=AT_MS, horizon_ms=90 * DAY_MS, now=now)
        assert (None if refusal is None else refusal.reason) == reason
        if refusal is not None:
            assert (refusal.fact_type, refusal.event_id, refusal.field) == ("CheckedIn", "e-1", "occurred_at")


def test_before_1970_is_too_old_whatever_the_horizon() -> None:
    fact = CheckedIn("app", "e-1", EARLIEST_AT - 1, "m-1")
    refusal = judge_time(fact, received_at=AT_MS, last_tick=0, horizon_ms=DAY_MS, now=AT_MS)
    assert refusal is not None
    assert refusal.reason == "too_old"


ODD = st.sampled_from(ODD_VALUES)
SPOILT = st.builds(
    lambda event, name, value: {**event, name: value},
    st.sampled_from([PURCHASE | {"attributes": {"a": "b"}}, CHECK_IN, SHARE, REVIEW, REFERRAL]),
    st.sampled_from(sorted({name for event in EVENTS for name in event} | {"attributes", "rating", "store_id"})),
    ODD | st.lists(st.fixed_dictionaries({"sku": ODD, "amount_minor": ODD}), max_size=3),
)


@given(SPOILT)
def test_the_door_admits_exactly_what_the_contract_allows_in_its_normal_form(event: dict[str, Any]) -> None:
    raw = json.dumps(event).encode()
    found = admit_json(raw)
    assert found == admit(event) or not isinstance(event.get("type"), str)
    if isinstance(found, PublishedFact):
        form = normal_form(event, type(found))
        assert msgspec.convert(form | {"occurred_at": found.occurred_at}, type(found)) == found
        assert admit(msgspec.to_builtins(found)) == found
    elif (
        found.reason in {"wrong_type", "missing_field", "out_of_range"}
        and found.field not in {"occurred_at", "lines"}
        and not any(words in found.message for words in BEYOND_THE_CONTRACT)
    ):
        kind = TYPES.get(event["type"]) if isinstance(event.get("type"), str) else None
        with pytest.raises((msgspec.ValidationError, Problem)):
            _read_as_the_contract(event | {"occurred_at": AT_MS}, kind)


def _read_as_the_contract(event: dict[str, Any], kind: type[msgspec.Struct] | None) -> None:
    if kind is None:
        msgspec.json.decode(json.dumps(event), type=PublishedFact)
    else:
        msgspec.convert(normal_form(event, kind), kind)


@given(SPOILT)
def test_what_the_contract_refuses_is_explained(event: dict[str, Any]) -> None:
    kind = TYPES.get(event["type"]) if isinstance(event["type"], str) else None
    if kind is None:
        return
    try:
        msgspec.convert(event | {"occurred_at": AT_MS}, kind)
    except msgspec.ValidationError:
        assert diagnose(event, kind) is not None
    else:
        problem = diagnose(event, kind)
        assert problem is None or any(words in problem.message for words in BEYOND_THE_CONTRACT)


@pytest.mark.parametrize(
    ("event", "says", "not_said"),
    [
        (json_of(CHECK_IN, member_id=None), "member_id is null, and it is needed", "leave it out"),
        (json_of(PURCHASE, lines=[{"sku": "a", "amount_minor": "12,50"}]), "write 1250 for 12.50", "b'"),
        (json_of(PURCHASE, lines=[{"sku": "a", "amount_minor": "12.50"}]), "write 1250 for 12.50", "b'"),
        (json_of(CHECK_IN, member_id="a\nb"), "control characters", "needed"),
        (json_of(CHECK_IN, member_id="4.98765E+15"), "the format Text", "control"),
        (json_of(CHECK_IN, member_id=4.98765e20), "put it in quotes where it is still written in full", "None"),
        (json_of(CHECK_IN, member_id="員" * 67), "has 201 bytes of UTF-8: at most 200", "characters"),
        (json_of(CHECK_IN, member_id=" \t"), "member_id is empty", "None"),
        (json_of(CHECK_IN, occurred_at="2026-11-11T11:11:11"), 'such as "+01:00"', "is '"),
        (b'{"type": CheckedIn}', "near '", "b'"),
        (b'{"type":"CheckedIn","source":"\xe9t\xe9"}', "('\\xe9t", "b'"),
    ],
)
def test_messages_say_what_to_write_and_nothing_of_python(event: bytes, says: str, not_said: str) -> None:
    refusal = refused(admit_json(event))
    assert says in refusal.message
    assert not_said not in refusal.message


@pytest.mark.parametrize("kind", ["", '"type":"CheckedIn",'])
@pytest.mark.parametrize(
    "rest", ['"channel":"type"', '"channel":"a:b"', '"attributes":{"type":"a","b:c":"d"}', '"x":1']
)
@pytest.mark.parametrize(
    "twice", ['"store_id":"a","store_id":"a"', '"store_id" :"",\n"store_id"\t:"a:b"', '"type":"CheckedIn"']
)
def test_a_key_given_twice_is_found_where_the_topic_says_the_kind(kind: str, rest: str, twice: str) -> None:
    plain_fields = '"source":"app","event_id":"e:2","occurred_at":"2026-11-11T11:11:11Z","member_id":"m-1"'
    once = admit_json(f"{{{kind}{rest},{plain_fields}}}".encode(), default_type="CheckedIn")
    assert admitted(once).event_id == "e:2"
    raw = f"{{{kind}{rest},{twice},{plain_fields}}}".encode()
    found = admit_json(raw, default_type="CheckedIn")
    if kind or "store_id" in twice:
        assert refused(found).reason == "malformed"
    else:
        assert admitted(found).event_id == "e:2", "the kind is given once"


DOUBTFUL = [
    (PURCHASE, "member_id", "0", "many people would share one account"),
    (PURCHASE, "member_id", 0, "many people would share one account"),
    (CHECK_IN, "member_id", -1, "many people would share one account"),
    (PURCHASE, "referrer_id", "0000", "many people would share one account"),
    (REFERRAL, "referee_id", "-1", "many people would share one account"),
    (PURCHASE, "member_id", "138****1234", "some of its characters are hidden"),
    (PURCHASE, "member_id", "a***@mail.com", "some of its characters are hidden"),
    (CHECK_IN, "member_id", "138xxxx1234", "some of its characters are hidden"),
    (CHECK_IN, "member_id", "XXXX-XXXX-1234", "some of its characters are hidden"),
    (CHECK_IN, "member_id", "t**8", "some of its characters are hidden"),
    (PURCHASE, "referrer_id", "\u5f20\uff0a\uff0a", "some of its characters are hidden"),
    (REFERRAL, "referee_id", "138\u2022\u2022\u2022\u20221234", "some of its characters are hidden"),
    (PURCHASE, "member_id", "Guest Checkout", "many people would share one account"),
    (PURCHASE, "member_id", "guest_checkout", "many people would share one account"),
    (PURCHASE, "member_id", "CASH", "many people would share one account"),
    (PURCHASE, "member_id", "Walk-In", "many people would share one account"),
    (PURCHASE, "member_id", "noemail", "many people would share one account"),
    (PURCHASE, "member_id", "noemail@noemail.com", "many people would share one account"),
    (PURCHASE, "member_id", "\u4e34\u65f6\u4f1a\u5458", "many people would share one account"),
    (PURCHASE, "member_id", "11111111111", "many people would share one account"),
    (PURCHASE, "member_id", 99999, "many people would share one account"),
    (PURCHASE, "referrer_id", "000-000-0000", "many people would share one account"),
    (CHECK_IN, "member_id", "M\ufffdller", "letters of it were lost"),
    (PURCHASE, "store_id", "\ufffd", "letters of it were lost"),
    (PURCHASE, "order_id", "???", "letters of it were lost"),
    (CHECK_IN, "member_id", 4987650000000000, "its last digits are lost"),
    (CHECK_IN, "event_id", "4987650000000000", "its last digits are lost"),
    (PURCHASE, "order_id", "1230000000000", "its last digits are lost"),
    (PURCHASE, "store_id", "#REF!", "a spreadsheet could not show the value"),
    (PURCHASE, "order_id", "Err:502", "a spreadsheet could not show the value"),
]


@pytest.mark.parametrize(("event", "field", "written", "says"), DOUBTFUL)
def test_an_id_that_may_stand_for_several_is_refused(
    event: dict[str, Any], field: str, written: object, says: str
) -> None:
    enveloped = {"specversion": "1.0", "id": "e-1", "source": "pos", "type": event["type"]}
    for found in (
        admit_json(json_of(event, **{field: written})),
        admit_json(json.dumps(event | {field: written}, ensure_ascii=False).encode()),
        admit_json(json.dumps(enveloped | {"data": event | {field: written}}).encode()),
        admit(event | {field: written}),
    ):
        refusal = refused(found)
        assert (refusal.reason, refusal.field) == ("wrong_type", field)
        assert says in refusal.message


@pytest.mark.parametrize(
    "written", ["0", "-1", "#1001", "123000000000", "12345670000000000", "1000000000000a", "?", "?1"]
)
def test_an_id_of_a_store_that_only_looks_like_one_is_taken(written: str) -> None:
    assert plain(admitted(admit_json(json_of(CHECK_IN, store_id=written))))["store_id"] == written


@pytest.mark.parametrize(
    "written",
    ["*4711*", "\u5f20*\u4f1f", "xXx_anna", "maxxx", "1111", "11112", "a-xxx-1", "0xxxaf", "test-4711", "cashmere"],
)
def test_a_member_whose_id_only_looks_masked_or_like_a_guest_is_taken(written: str) -> None:
    assert plain(admitted(admit_json(json_of(CHECK_IN, member_id=written))))["member_id"] == written


@pytest.mark.parametrize("written", ["138****1234", "XXXX", "11111", "CASH"])
def test_other_ids_and_texts_may_look_masked(written: str) -> None:
    fact = plain(admitted(admit_json(json_of(PURCHASE, order_id=written, tender=written, attributes={"a": written}))))
    assert (fact["order_id"], fact["tender"], fact["attributes"]) == (written, written, {"a": written})


def test_free_text_may_have_lost_its_letters() -> None:
    fact = admitted(admit_json(json_of(PURCHASE, tender="???", attributes={"note": "M\ufffdller", "a": "#REF!"})))
    assert plain(fact)["attributes"] == {"note": "M\ufffdller", "a": "#REF!"}
