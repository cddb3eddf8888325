"""What the hosting service and pre-commit read of the repository can be read, and names only commands that exist."""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.stages import STAGES
from tests.house.known_commands import complaint
from tests.house.tracked import ROOT, read, tracked, tracked_files

WORKFLOWS = [path for path in tracked(".yml") if path.parts[:2] == (".github", "workflows")]
FORMS = [
    path for path in tracked(".yml") if path.parts[:2] == (".github", "ISSUE_TEMPLATE") and path.name != "config.yml"
]
TEMPLATES = [*FORMS, Path(".github/PULL_REQUEST_TEMPLATE.md")]
OFFICIAL = re.compile(r"actions/(checkout|setup-python|setup-java|cache)@v\d+")
COMMAND_IN_PROSE = re.compile(r"(?:`|placeholder: )((?:make|tallybook) [^`\n]+)")


def jobs_of(text: str) -> dict[str, Any]:
    """The jobs of a workflow, each with steps and an end."""
    workflow = yaml.safe_load(text)
    triggers = workflow[True]  # YAML 1.1 reads the key `on` as true
    assert set(triggers) == {"push", "pull_request"}
    jobs: dict[str, Any] = workflow["jobs"]
    assert all(job["steps"] and job["timeout-minutes"] for job in jobs.values())
    return jobs


def steps_of(text: str) -> Iterator[dict[str, Any]]:
    for job in jobs_of(text).values():
        yield from job["steps"]


def wrong_in(step: dict[str, Any]) -> list[str]:
    """What is wrong with a step: an action that is not official or pinned, a command or file that does not exist."""
    wrong = []
    if ("uses" in step) == ("run" in step):
        wrong.append(f"a step either uses an action or runs a command: {step}")
    if "uses" in step and not OFFICIAL.fullmatch(step["uses"]):
        wrong.append(f"{step['uses']} is not an official action of a pinned major version")
    for line in step.get("run", "").splitlines():
        words = shlex.split(line)
        if words[:1] == ["bash"]:
            words = [f"./{words[1]}", *words[2:]]
        if found := complaint(words):
            wrong.append(found)
    named = [step.get("with", {}).get("cache-dependency-path", "")]
    named += re.findall(r"hashFiles\('([^']+)'\)", step.get("with", {}).get("key", ""))
    wrong += [f"no file is called {pattern}" for pattern in named if pattern and not list(ROOT.glob(pattern))]
    return wrong


def test_there_are_workflows_and_templates() -> None:
    assert WORKFLOWS
    assert FORMS
    assert all((ROOT / path).is_file() for path in TEMPLATES)


@pytest.mark.parametrize("path", WORKFLOWS, ids=str)
def test_every_step_of_a_workflow_can_run(path: Path) -> None:
    assert [found for step in steps_of(read(path)) for found in wrong_in(step)] == []


@pytest.mark.parametrize(
    "step",
    [
        {"run": "make tea"},
        {"run": "make test\nmake test FLAVOUR=green"},
        {"run": "bash .ci/nothing"},
        {"uses": "somebody/checkout@v5"},
        {"uses": "actions/checkout@main"},
        {"uses": "actions/checkout@v5", "run": "make test"},
        {"uses": "actions/cache@v4", "with": {"key": "kafka-${{ hashFiles('deploy/pom.xml') }}"}},
        {"uses": "actions/setup-python@v6", "with": {"cache-dependency-path": "requirements.txt"}},
    ],
    ids=str,
)
def test_a_step_that_cannot_run_is_noticed(step: dict[str, Any]) -> None:
    assert len(wrong_in(step)) == 1


def test_what_the_workflows_run_is_executable() -> None:
    scripts = [path for path in tracked_files() if path.parts[0] == ".ci"]
    assert scripts
    assert [path for path in scripts if not os.access(ROOT / path, os.X_OK)] == []


def test_pre_commit_runs_the_lint_stage_and_downloads_nothing() -> None:
    repositories = yaml.safe_load(read(Path(".pre-commit-config.yaml")))["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    hooks = repositories[0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"system"}
    assert [hook["entry"] for hook in hooks] == [f".venv/bin/{shlex.join(step.command)}" for step in STAGES["lint"]]


@pytest.mark.parametrize("path", FORMS, ids=str)
def test_an_issue_form_is_complete(path: Path) -> None:
    form = yaml.safe_load(read(path))
    assert form["name"]
    assert form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert all(field["type"] in {"input", "textarea", "dropdown", "checkboxes"} for field in fields)
    assert all(field["attributes"]["label"] for field in fields)
    assert len({field["id"] for field in fields}) == len(fields)


@pytest.mark.parametrize("path", TEMPLATES, ids=str)
def test_commands_that_a_template_names_exist(path: Path) -> None:
    commands = [shlex.split(found) for found in COMMAND_IN_PROSE.findall(read(path))]
    assert [found for words in commands if (found := complaint(words))] == []
