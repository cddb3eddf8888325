"""The settings of the house agree with each other: what is required is pinned, what exists is checked, and why."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts.pin import FILES, requirements_of
from tests.house.tracked import ROOT, read, tracked, tracked_files

PYPROJECT = tomllib.loads(read(Path("pyproject.toml")))


def name_of(requirement: str) -> str:
    """The name of a requirement as indexes compare it: `PyYAML>=6` gives `pyyaml`."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s<>=!~;\[]", requirement)[0]).lower()


def pins_in(name: str) -> dict[str, dict[str, list[str]]]:
    """The hashes of each pin in requirements/`name`.txt, by package and version; a package may have several."""
    pins: dict[str, dict[str, list[str]]] = {}
    for entry in re.split(r"\n(?=\S)", read(Path(f"requirements/{name}.txt"))):
        found = re.match(r"([\w.-]+)==([^\s;]+)", entry)
        assert found, entry
        pins.setdefault(name_of(found[1]), {})[found[2]] = re.findall(r"--hash=sha256:([0-9a-f]{64})\b", entry)
    return pins


def test_every_list_of_requirements_has_its_pinned_file() -> None:
    lists = {"runtime", *PYPROJECT["project"]["optional-dependencies"], *PYPROJECT["dependency-groups"]}
    assert lists == set(FILES)
    assert {path.as_posix() for path in tracked_files() if path.parts[0] == "requirements"} == {
        f"requirements/{name}.txt" for name in FILES
    }


@pytest.mark.parametrize("name", FILES)
def test_every_requirement_is_pinned_as_it_allows(name: str) -> None:
    pins = pins_in(name)
    required = [Requirement(line) for line in requirements_of(name, PYPROJECT)]
    assert required
    wrong = [
        f"{each}: {', '.join(pins.get(name_of(each.name), ())) or 'not pinned'}"
        for each in required
        if not pins.get(name_of(each.name)) or not all(map(each.specifier.contains, pins[name_of(each.name)]))
    ]
    assert wrong == [], "run `make requirements`"


@pytest.mark.parametrize("name", FILES)
def test_every_pin_has_hashes(name: str) -> None:
    assert [package for package, versions in pins_in(name).items() if not all(versions.values())] == []


@pytest.mark.parametrize("name", FILES)
def test_pinned_files_name_no_index(name: str) -> None:
    text = read(Path(f"requirements/{name}.txt"))
    assert not re.search(r"https?://|^\s*-(i|f|-index-url|-extra-index-url|-find-links)\b", text, re.MULTILINE)


def test_later_files_keep_the_pins_of_the_earlier() -> None:
    for name, earlier in FILES.items():
        pins = pins_in(name)
        for other in earlier:
            pinned = {package: versions.keys() for package, versions in pins_in(other).items()}
            differing = [package for package in pins.keys() & pinned if not pins[package].keys() <= pinned[package]]
            assert differing == [], f"{name}.txt and {other}.txt cannot be installed together"


def test_all_python_is_type_checked() -> None:
    assert {path.parts[0] for path in tracked(".py")} <= set(PYPROJECT["tool"]["mypy"]["files"])


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
    assert "make test STAGES=all < /dev/null" in script
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
