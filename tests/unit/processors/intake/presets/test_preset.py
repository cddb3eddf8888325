"""A preset is found by its name, a shop's own settings lie over it, and what it cannot know is asked for."""

from pathlib import Path

import pytest

from processors.intake.mapping import MappingRefused
from processors.intake.presets.preset import Preset, preset_names
from tallybook.folder.mapping_files import read_mapping, read_presets

TILL = Preset(
    title="A till",
    recognised_by=("receipt",),
    needs=("timezone", "constants.currency"),
    mapping={
        "type": "PurchaseRecorded",
        "fields": {"event_id": "receipt", "member_id": "card", "store_id": "shop"},
        "constants": {"channel": "store"},
        "delimiter": ";",
    },
)


def test_settings_of_a_shop_lie_over_those_of_the_preset() -> None:
    settings = TILL.settings({"source": "till-7", "delimiter": ",", "fields": {"member_id": "phone"}})
    assert settings == {
        "type": "PurchaseRecorded",
        "source": "till-7",
        "fields": {"event_id": "receipt", "member_id": "phone", "store_id": "shop"},
        "constants": {"channel": "store"},
        "delimiter": ",",
    }


def test_an_empty_text_takes_a_setting_out() -> None:
    assert TILL.settings({"fields": {"store_id": ""}, "delimiter": ""}) == {
        "type": "PurchaseRecorded",
        "fields": {"event_id": "receipt", "member_id": "card"},
        "constants": {"channel": "store"},
    }


def test_a_field_has_a_column_or_a_constant_whichever_the_shop_gives() -> None:
    assert TILL.settings({"constants": {"store_id": "s1"}})["fields"] == {"event_id": "receipt", "member_id": "card"}
    assert TILL.settings({"fields": {"channel": "where"}})["constants"] == {}


@pytest.mark.parametrize(
    ("own", "missing"),
    [
        ({}, ["timezone", "constants.currency"]),
        ({"timezone": "Asia/Tokyo"}, ["constants.currency"]),
        ({"timezone": "Asia/Tokyo", "constants": {"currency": "JPY"}}, []),
    ],
)
def test_what_the_export_does_not_tell_is_asked_for(own: dict[str, object], missing: list[str]) -> None:
    assert TILL.missing(TILL.settings(own)) == missing


def test_every_preset_can_be_read_and_names_its_export() -> None:
    presets = read_presets()
    assert list(presets) == list(preset_names())
    assert all(preset.title and preset.recognised_by for preset in presets.values())


def test_an_unknown_preset_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(MappingRefused) as refused:
        read_mapping(Path("preset:shopfy"))
    assert str(refused.value) == (
        "preset:shopfy: preset: there is no preset 'shopfy': is shopify meant? There are " + ", ".join(preset_names())
    )


def test_a_missing_setting_is_refused_with_a_file_to_write() -> None:
    with pytest.raises(MappingRefused) as refused:
        read_mapping(Path("preset:square"))
    *problems, advice, first, second, third = str(refused.value).splitlines()
    assert problems == [
        "preset:square: timezone: is missing: the zone of the shop's clock, which the export does not tell",
        "preset:square: constants.currency: is missing: the currency of all amounts, which the export does not tell",
    ]
    assert advice.endswith("write your own values into a file of these lines, and name it with --mapping:")
    assert (first, second, third) == (
        "  preset: square",
        "  timezone: America/New_York",
        "  constants: {currency: USD}",
    )


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_a_mapping_once_its_needs_are_given(name: str, tmp_path: Path) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_text(f"preset: {name}\nsource: my-shop\ntimezone: Asia/Tokyo\nconstants: {{currency: JPY}}\n", "utf-8")
    mapping = read_mapping(file)
    assert (mapping.source, mapping.timezone) == ("my-shop", "Asia/Tokyo")
    assert mapping.constants["currency"] == "JPY"


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_stands_in_the_page_for_publishers(name: str, repository: Path) -> None:
    page = (repository / "docs" / "publishers.md").read_text(encoding="utf-8")
    assert f"| `{name}` | [{read_presets()[name].title}](#" in page
