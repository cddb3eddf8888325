"""The settings of the house agree with each other: what is required is pinned, what exists is checked, and why."""

import re
import tomllib
from pathlib import Path

import pytest

from scripts.stages import STAGES
from tests.house.tracked import ROOT, read, tracked

PYPROJECT = tomllib.loads(read(Path("pyproject.toml")))
BUILD_BACKEND = {"hatchling", "editables"}
REQUIREMENTS = ("requirements", "requirements-stream", "requirements-dev", "requirements-real")


def name_of(requirement: str) -> str:
    """The name of a requirement as indexes compare it: `PyYAML>=6` gives `pyyaml`."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s<>=!~;\[]", requirement)[0]).lower()


def names_in(path: str) -> set[str]:
    """The names that a .in file asks for."""
    lines = read(Path(path)).splitlines()
    return {name_of(line) for line in lines if line and not line.startswith(("#", "-"))}


def pins_in(path: str) -> dict[str, list[str]]:
    """The pins of a compiled file, each with its hashes; a name may be pinned twice, for different Pythons."""
    pins: dict[str, list[str]] = {}
    for entry in re.split(r"\n(?=\S)", read(Path(path))):
        if not entry.startswith("#"):
            pins.setdefault(name_of(entry), []).extend(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry))
    return pins


def test_the_distribution_requires_what_is_installed() -> None:
    assert {name_of(line) for line in PYPROJECT["project"]["dependencies"]} == names_in(
        "requirements.in"
    ) - BUILD_BACKEND
    assert {name_of(line) for line in PYPROJECT["build-system"]["requires"]} == BUILD_BACKEND


@pytest.mark.parametrize("stem", REQUIREMENTS)
def test_every_requirement_is_pinned_with_hashes(stem: str) -> None:
    pins = pins_in(f"{stem}.txt")
    assert names_in(f"{stem}.in") <= set(pins)
    assert all(pins.values()), [name for name, hashes in pins.items() if not hashes]


@pytest.mark.parametrize("stem", REQUIREMENTS)
def test_requirements_name_no_index(stem: str) -> None:
    text = read(Path(f"{stem}.txt")) + read(Path(f"{stem}.in"))
    assert not re.search(r"https?://|^\s*-(i|f|-index-url|-extra-index-url|-find-links)\b", text, re.MULTILINE)


def test_later_requirements_keep_the_pins_of_the_first() -> None:
    def versions(stem: str) -> set[tuple[str, str]]:
        return set(re.findall(r"^([\w.-]+)==(\S+)", read(Path(f"{stem}.txt")), re.MULTILINE))

    first = versions("requirements")
    pinned_names = {name for name, _ in first}
    for stem in REQUIREMENTS[1:]:
        assert {pin for pin in versions(stem) if pin[0] in pinned_names} <= first


def test_all_python_is_type_checked() -> None:
    assert {path.parts[0] for path in tracked(".py")} <= set(PYPROJECT["tool"]["mypy"]["files"])


def test_every_test_belongs_to_a_stage() -> None:
    folders = {path.parts[1] for path in tracked(".py") if path.parts[0] == "tests" and path.name.startswith("test_")}
    assert folders <= set(STAGES), "add a stage to scripts/stages.py"


def test_every_relaxed_rule_says_why() -> None:
    section = re.search(
        r"^\[tool\.ruff\.lint\]$(.*?)^\[tool\.mypy\]$", read(Path("pyproject.toml")), re.DOTALL | re.MULTILINE
    )
    assert section
    relaxed = re.findall(r'^ {4}"[A-Z]+\d+".*$', section[1], re.MULTILINE)
    assert len(relaxed) > 1
    assert [line for line in relaxed if len(re.findall(r"\w+", line.partition("#")[2])) < 3] == []


def test_what_ci_runs_needs_no_keyboard() -> None:
    script = read(Path(".ci/run"))
    assert "make test < /dev/null" in script
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
