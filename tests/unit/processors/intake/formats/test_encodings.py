"""Tables in encodings that are not UTF-8: what is suggested, or not where it is not clear, and that it is read."""

from pathlib import Path
from typing import Final

import pytest

from processors.intake.formats.csv_rows import not_utf_8
from processors.intake.formats.likely_encoding import PYTHON_NAMES, likely_encoding
from processors.intake.mapping import parse_mapping
from tests.support.fact_samples import ORDERS, facts, read_file

TEXTS: Final = [
    ("gb18030", "订单编号,金额"),
    ("gb18030", "A1,张三,2026年11月2日 9:05,茶,12.50元"),
    ("big5", "訂單編號,會員,時間,商品,金額"),
    ("big5", "1,王小明,2026-11-02,珍珠奶茶,55"),
    ("shift-jis", "注文番号,会員番号,日時,商品名,金額"),
    ("shift-jis", "1,山田太郎,2026-11-02,コーヒー,500"),
    ("euc-jp", "1,山田太郎,2026-11-02,コーヒー,500"),
    ("euc-kr", "주문번호,회원,시간,상품,금액"),
    ("euc-kr", "1,김철수,2026-11-02,아메리카노,4500"),
    ("windows-1250", "Číslo účtenky;Zákazník;Částka"),
    ("windows-1250", "1;Łódź;Zażółć gęślą jaźń"),
    ("windows-1251", "Номер чека;Покупатель;Сумма"),
    ("windows-1251", "номер;дата;сумма"),
    ("windows-1252", "order,größe"),
    ("windows-1252", "1,café crème,thé"),
    ("windows-1252", "1,España,señor Peñón"),
    ("windows-1252", "São Paulo,pão,açúcar"),
    ("windows-1252", "Ørsted,smørrebrød,blåbær"),
    ("windows-1253", "Αριθμός;Πελάτης;καφές"),
    ("windows-1254", "müşteri;ürün;sipariş tarihi"),
    ("cp850", "Müller;Brötchen;Käse"),
    ("mac-roman", "Müller;Brötchen;Käse"),
]


def written(text: str, encoding: str) -> bytes:
    return text.encode(PYTHON_NAMES.get(encoding, encoding))


@pytest.mark.parametrize(("encoding", "text"), TEXTS)
def test_the_encoding_of_a_text_is_suggested(encoding: str, text: str) -> None:
    raw = written(text, encoding)
    assert likely_encoding(raw) == encoding
    assert not_utf_8(raw, 3, 1) == (
        f"the text is not UTF-8 at byte 4 of line 1: if it is {encoding}, say so in the mapping, encoding: {encoding}; "
        "else save the file as UTF-8"
    )


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        pytest.param("windows-1250", "Počet", id="French has the same byte, for another letter"),
        pytest.param("shift-jis", "1,ｺｰﾋｰ,5", id="four bytes that are letters of several encodings"),
        pytest.param("koi8-r", "Номер чека;Покупатель", id="an encoding that no mapping can name"),
        pytest.param("cp1255", "הזמנה,לקוח", id="Hebrew"),
        pytest.param("cp1257", "Klients;Rīga;ļoti;žāvēts", id="Latvian"),
        pytest.param("cp874", "ใบเสร็จ,สมาชิก", id="Thai"),
        pytest.param("windows-1252", "5 €", id="no letters"),
    ],
)
def test_nothing_is_suggested_where_it_is_not_clear(encoding: str, text: str) -> None:
    raw = written(text, encoding)
    assert likely_encoding(raw) is None
    assert not_utf_8(raw, 2, 7) == "the text is not UTF-8 at byte 3 of line 7: save the file as UTF-8"


@pytest.mark.parametrize(("encoding", "text"), TEXTS)
def test_a_table_in_each_encoding_is_read(tmp_path: Path, encoding: str, text: str) -> None:
    cell = text.replace(",", " ").replace(";", " ")
    how = parse_mapping(ORDERS | {"encoding": encoding, "attributes": {"note": "notiz"}})
    content = f"order,member,time,sku,paid,notiz\n1,anna,2026-11-02 10:00,a,5.00,{cell}\n"
    (fact,) = facts(read_file(tmp_path / "till.csv", written(content, encoding), how))
    assert fact.attributes == {"note": cell}


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("Shift_JIS", "shift-jis"),
        ("cp932", "shift-jis"),
        ("EUC-KR", "euc-kr"),
        ("CP1250", "windows-1250"),
        ("Big5", "big5"),
    ],
)
def test_an_encoding_has_several_names(name: str, encoding: str) -> None:
    assert parse_mapping(ORDERS | {"encoding": name}).encoding == encoding
