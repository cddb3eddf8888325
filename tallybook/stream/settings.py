"""Reads where a deployment's stream is: from the environment (TALLYBOOK_…), else from the folder's stream.toml."""

import json
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from processors.intake.unknown_fields import nearest_name
from schemas.topics import Topics
from tallybook.folder.folder import STREAM_FILE as FILE
from tallybook.folder.folder import FolderRefused

PREFIX: Final = "TALLYBOOK_"
MAX_FILE_BYTES: Final = 100_000


class StreamRefused(FolderRefused):
    """The settings of the stream are not usable; the message names file, field and what to change."""


class StreamSettings(BaseSettings):
    """Holds the settings of a deployment on Kafka. Each may come from the environment as TALLYBOOK_<FIELD>."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", env_ignore_empty=True)

    bootstrap: Annotated[str, Field(min_length=1, description="Brokers, such as kafka-1:9092,kafka-2:9092.")]
    deployment: Annotated[str, Field(min_length=1, description="The name that every topic and group begins with.")]
    registry: Annotated[str, Field(description="The schema registry's URL; empty: none.")] = ""
    clickhouse: Annotated[str, Field(description="The ClickHouse server's URL; empty: embedded, in this folder.")] = ""
    clickhouse_user: str = "default"
    clickhouse_password: Annotated[str, Field(repr=False)] = ""
    snapshots: Annotated[
        str, Field(description="A URL (or folder) that all scoring workers share; empty: each its own.")
    ] = ""
    accounts_token: Annotated[str, Field(repr=False, description="Who may ask for accounts; empty: nobody.")] = ""
    serve_host: Annotated[str, Field(min_length=1, description="The address on which --metrics serves.")] = "127.0.0.1"
    kafka: Annotated[
        dict[str, str], Field(repr=False, description="Settings of the Kafka client, such as security.protocol.")
    ] = {}

    @field_validator("deployment")
    @classmethod
    def _names_topics(cls, value: str) -> str:
        Topics(value)
        return value

    @field_validator("registry")
    @classmethod
    def _names_a_registry(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError("write it as http://registry:8081")
        return value

    @property
    def topics(self) -> Topics:
        """The names of the deployment's topics and groups."""
        return Topics(self.deployment)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment go before the file, and read nothing else."""
        del settings_cls, dotenv_settings, file_secret_settings
        return (env_settings, init_settings)


def load_settings(folder: Path, **given: str) -> StreamSettings:
    """Read the settings of a folder: `given` overrides the file, the environment overrides both.

    Raises:
        StreamRefused: with every error, by field.
    """
    file = folder / FILE
    values: dict[str, Any] = {name: value for name, value in given.items() if value}
    if file.exists():
        try:
            values |= tomllib.loads(file.read_bytes()[:MAX_FILE_BYTES].decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise StreamRefused(f'{file}: {error}. Write it as TOML, such as: bootstrap = "kafka:9092"') from error
    values |= {name: value for name, value in given.items() if value and f"{PREFIX}{name.upper()}" not in os.environ}
    try:
        return StreamSettings(**values)
    except ValidationError as error:
        raise StreamRefused(_told(file, error)) from error


def write_settings(folder: Path, settings: StreamSettings) -> Path:
    """Write the stream.toml of a folder that has none, without any secret; gives its path."""
    file = folder / FILE
    lines = ["# Where this deployment's stream is. Environment variables named TALLYBOOK_… override these settings."]
    written = ("bootstrap", "deployment", "registry", "clickhouse", "snapshots")
    lines += [f"{name} = {json.dumps(getattr(settings, name))}" for name in written]
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def _told(file: Path, error: ValidationError) -> str:
    said = []
    for one in error.errors():
        name = ".".join(map(str, one["loc"]))
        if one["type"] == "missing":
            said.append(f"{name} is missing: set it in {file} or as {PREFIX}{name.upper()}")
        elif one["type"] == "extra_forbidden":
            known = tuple(StreamSettings.model_fields)
            near = nearest_name(name, known)
            said.append(
                f"{file}: there is no setting {name}{f': did you mean {near}?' if near else ''} "
                f"The settings are {', '.join(known)}"
            )
        else:
            said.append(f"{file}: {name}: {one['msg']}")
    return "\n".join(said)
