"""Which currencies there are, and how many decimals their minor unit has: 100 is 1.00 EUR, but 100 JPY.

Source: ISO 4217 list one (amendments up to 2026). Codes that stand for no money one can pay with (metals, test, none)
are left out. Codes withdrawn since 2020 stay, because histories are imported.
"""

from typing import Final

_TWO_DECIMALS: Final = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP
    COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR
    JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN
    NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL
    THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
"""
_NO_DECIMALS: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS: Final = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DECIMALS: Final = "CLF UYW"
_WITHDRAWN: Final = "ANG BGN CUC HRK SLL ZWL"  # all of two decimals

# Decimals of the minor unit, by code: what is not in here is no currency.
DECIMALS: Final[dict[str, int]] = {
    code: decimals
    for decimals, codes in (
        (0, _NO_DECIMALS),
        (2, _TWO_DECIMALS),
        (2, _WITHDRAWN),
        (3, _THREE_DECIMALS),
        (4, _FOUR_DECIMALS),
    )
    for code in codes.split()
}

# Signs that people write before or after an amount, and the currencies that each is a sign of.
_SIGNS: Final = {
    "$": """ARS AUD BBD BMD BND BSD BZD CAD CLP COP CUC CUP CVE DOP FJD GYD HKD JMD KYD LRD MOP MXN NAD NIO NZD SBD SGD
        SRD TOP TTD TWD USD UYU WST XCD XCG ZWG""",
    "US$": "USD",
    "A$": "AUD",
    "AU$": "AUD",
    "C$": "CAD NIO",
    "CA$": "CAD",
    "HK$": "HKD",
    "MX$": "MXN",
    "NT$": "TWD",
    "NZ$": "NZD",
    "R$": "BRL",
    "S$": "SGD",
    "€": "EUR",
    "£": "EGP FKP GBP GIP LBP SDG SHP SSP SYP",
    "¥": "CNY JPY",
    "\uffe5": "CNY JPY",  # the wide one
    "CN¥": "CNY",
    "JP¥": "JPY",
    "RMB": "CNY",
    "元": "CNY HKD MOP TWD",
    "圆": "CNY",
    "圓": "HKD MOP TWD",
    "円": "JPY",
    "원": "KRW",
    "₩": "KPW KRW",
    "₹": "INR",
    "Rs": "INR LKR MUR NPR PKR SCR",
    "₨": "INR LKR MUR NPR PKR SCR",
    "₽": "RUB",
    "руб": "BYN RUB",  # noqa: RUF001 - Cyrillic is meant
    "р": "BYN RUB",  # noqa: RUF001 - Cyrillic is meant
    "₺": "TRY",
    "TL": "TRY",
    "₴": "UAH",
    "₫": "VND",
    "đ": "VND",
    "฿": "THB",
    "₪": "ILS",
    "₱": "PHP",
    "₦": "NGN",
    "₡": "CRC SVC",
    "₲": "PYG",
    "₵": "GHS",
    "₸": "KZT",
    "₭": "LAK",
    "₮": "MNT",
    "₼": "AZN",
    "₾": "GEL",
    "zł": "PLN",
    "Kč": "CZK",
    "kr": "DKK ISK NOK SEK",
    "Ft": "HUF",
    "lei": "MDL RON",
    "лв": "BGN",
    "Fr": "CHF",
    "SFr": "CHF",
    "R": "ZAR",
    "RM": "MYR",
    "Rp": "IDR",
    "KSh": "KES",
    "S/": "PEN",
}
SIGNS: Final[dict[str, frozenset[str]]] = {sign: frozenset(codes.split()) for sign, codes in _SIGNS.items()}


def format_minor(amount_minor: int, currency: str) -> str:
    """An amount for people: 1234 EUR (minor units) is "12.34 EUR". Raises KeyError for an unknown currency."""
    decimals = DECIMALS[currency]
    sign = "-" if amount_minor < 0 else ""
    whole, part = divmod(abs(amount_minor), 10**decimals)
    return f"{sign}{whole}.{part:0{decimals}} {currency}" if decimals else f"{sign}{whole} {currency}"
