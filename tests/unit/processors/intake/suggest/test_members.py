"""Which column is proposed as the member: an id, a card, a phone number or a mail address before a person's name."""

from pathlib import Path

import pytest

from processors.intake.suggest.look import HEAD_BYTES, look_at
from processors.intake.suggest.propose import Proposal, propose


def proposed(tmp_path: Path, names: list[str], *rows: list[str]) -> Proposal:
    """The mapping that is proposed for orders of 5.00 whose columns of buyers are these."""
    lines = [",".join(["order id", "date", *names, "amount"])]
    lines += [",".join([f"A-{at}", "2026-11-02 09:00", *cells, "5.00"]) for at, cells in enumerate(rows)]
    file = tmp_path / "sales.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return propose(look_at(file, "sales.csv"), {}, "sales")


IDS = (
    "Cust No", "Cust. No.", "Cust ID", "Account", "Account Number", "Client #", "User ID", "Customer No", "Customer #",
    "Member #", "Buyer ID", "Kundennr", "Kunden-Nr.", "Kundenkarte", "Mitgliedsnummer", "会员号", "会员卡号",
    "顾客编号", "客户编码", "用户ID", "手机", "手机号", "手机号码", "电话", "联系电话", "收货人手机号",
    "Mobile", "Phone Number", "Card No",
    "Telefon", "N° client", "Nº cliente",
)  # fmt: skip
NAMES = ("Customer", "Client", "Buyer", "Customer Name", "Member", "Kunde", "客户", "顾客", "会员", "姓名", "Cliente")


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize(("person", "of_names"), [("Customer", "Maria Smith"), ("客户", "王伟"), ("Kunde", "Müller")])
def test_an_id_is_chosen_before_a_name(tmp_path: Path, name: str, person: str, of_names: str) -> None:
    proposal = proposed(tmp_path, [person, name], [of_names, "13800000001"], [of_names, "13900000002"])
    assert proposal.settings["fields"]["member_id"] == name
    assert "fields.member_id" not in proposal.unsure


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("of_names", ["Maria Smith", "王伟", "anna", "O'Brien, Pat", "王*"])
def test_a_name_is_proposed_only_where_nothing_else_is_there_and_is_unsure(
    tmp_path: Path, name: str, of_names: str
) -> None:
    proposal = proposed(tmp_path, [name], [f'"{of_names}"'])
    assert proposal.settings["fields"]["member_id"] == name
    assert "two people of one name would share an account" in proposal.unsure["fields.member_id"]
    beside = proposed(tmp_path, [name, "Email"], [f'"{of_names}"', "maria@shop.example"])
    assert beside.settings["fields"]["member_id"] == "Email"


@pytest.mark.parametrize("name", [*NAMES, "Customer No", "会员号"])
@pytest.mark.parametrize("said", ["c-17", "0007", "13800000001", "MARIA-7K"])
def test_a_column_of_a_buyer_s_kind_that_holds_ids_is_sure(tmp_path: Path, name: str, said: str) -> None:
    proposal = proposed(tmp_path, [name, "Email"], [said, "maria@shop.example"])
    assert proposal.settings["fields"]["member_id"] == name
    assert "fields.member_id" not in proposal.unsure


@pytest.mark.parametrize("name", ["Customer No", "Client #", "会员号"])
def test_a_column_of_ids_that_holds_names_is_unsure(tmp_path: Path, name: str) -> None:
    proposal = proposed(tmp_path, [name], ["Maria Smith"], ["王伟"])
    assert "holds names" in proposal.unsure["fields.member_id"]


def test_rows_in_which_only_another_column_names_the_buyer_are_told(tmp_path: Path) -> None:
    rows = (["10001", "Maria Smith", "maria@shop.example"], ["", "Bob Guest", "bob@shop.example"])
    proposal = proposed(tmp_path, ["Cust No", "Customer", "Email"], *rows)
    assert proposal.settings["fields"]["member_id"] == "Cust No"
    assert proposal.unsure["fields.member_id"] == ("in 1 of 2 rows Cust No is blank (a guest) and Email is not")


def test_a_column_of_ids_without_any_gives_way_to_a_phone_but_not_to_a_name(tmp_path: Path) -> None:
    by_phone = proposed(tmp_path, ["会员卡号", "手机", "客户"], ["", "13800000001", "王伟"])
    assert by_phone.settings["fields"]["member_id"] == "手机"
    assert "会员卡号 would be surer" in by_phone.unsure["fields.member_id"]
    by_id = proposed(tmp_path, ["会员卡号", "客户"], ["", "王伟"])
    assert by_id.settings["fields"]["member_id"] == "会员卡号"
    assert "blank in every row" in by_id.unsure["fields.member_id"]


@pytest.mark.parametrize("masked", ["138****1234", "138XXXX1234", "王*", "138••••1234", "m***@x.com"])
def test_a_masked_member_is_unsure(tmp_path: Path, masked: str) -> None:
    assert "masked" in proposed(tmp_path, ["会员手机号"], ["13900000001"], [masked]).unsure["fields.member_id"]


@pytest.mark.parametrize("at", [4_000, -1])
def test_a_masked_member_is_seen_far_down_and_at_the_end_of_a_long_file(tmp_path: Path, at: int) -> None:
    rows = [[f"1390000{number:04}"] for number in range(9_000)]
    rows[at] = ["138****1234"]
    proposal = proposed(tmp_path, ["会员手机号"], *rows)
    assert (tmp_path / "sales.csv").stat().st_size > HEAD_BYTES
    assert "masked" in proposal.unsure["fields.member_id"]
