"""Currencies: real codes only, and amounts with the decimals that each one has."""

import pytest

from schemas.currencies import DECIMALS, format_minor


@pytest.mark.parametrize("code", ["EUR", "USD", "JPY", "KWD", "CLF", "XCG", "HRK"])
def test_a_currency_is_known(code: str) -> None:
    assert code in DECIMALS


@pytest.mark.parametrize("code", ["", "eur", "EURO", "EU", "XXX", "XTS", "XAU", "BTC", "DEM", " EUR", "EUR\n"])
def test_anything_else_is_not(code: str) -> None:
    assert code not in DECIMALS


def test_codes_are_three_capital_letters_and_stand_once() -> None:
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in DECIMALS)
    assert len(DECIMALS) == 17 + 7 + 2 + sum(decimals == 2 for decimals in DECIMALS.values())


@pytest.mark.parametrize(
    ("amount_minor", "currency", "text"),
    [
        (1234, "EUR", "12.34 EUR"),
        (5, "EUR", "0.05 EUR"),
        (-5, "EUR", "-0.05 EUR"),
        (0, "USD", "0.00 USD"),
        (1234, "JPY", "1234 JPY"),
        (1234, "KWD", "1.234 KWD"),
        (12345, "CLF", "1.2345 CLF"),
        (10**13, "EUR", "100000000000.00 EUR"),
    ],
)
def test_an_amount_is_shown_with_its_decimals(amount_minor: int, currency: str, text: str) -> None:
    assert format_minor(amount_minor, currency) == text
