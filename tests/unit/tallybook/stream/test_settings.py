"""A deployment's settings come from its folder and the environment, and what is wrong with them is named."""

from pathlib import Path

import pytest

from books.snapshots.store import SnapshotHeader
from tallybook.folder.folder import Folder
from tallybook.stream.open import open_stream
from tallybook.stream.settings import StreamRefused, load_settings, write_settings


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BOOTSTRAP", "DEPLOYMENT", "REGISTRY", "CLICKHOUSE", "SNAPSHOTS"):
        monkeypatch.delenv(f"TALLYBOOK_{name}", raising=False)


def folder_with(tmp_path: Path, text: str) -> Path:
    (tmp_path / "stream.toml").write_text(text)
    return tmp_path


GOOD = 'bootstrap = "kafka:9092"\ndeployment = "shop"\n'


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, bootstrap="kafka:9092", deployment="shop")
    file = write_settings(tmp_path / "new", settings)
    assert load_settings(file.parent) == settings
    assert "password" not in file.read_text()


def test_the_environment_goes_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYBOOK_BOOTSTRAP", "elsewhere:9092")
    settings = load_settings(folder_with(tmp_path, GOOD))
    assert (settings.bootstrap, settings.deployment) == ("elsewhere:9092", "shop")


def test_settings_of_the_kafka_client_are_a_table(tmp_path: Path) -> None:
    settings = load_settings(folder_with(tmp_path, GOOD + '[kafka]\n"security.protocol" = "SSL"\n'))
    assert settings.kafka == {"security.protocol": "SSL"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "bootstrap is missing: set it in"),
        ('bootstrap = "k:1"\n', "TALLYBOOK_DEPLOYMENT"),
        (GOOD + "boostrap = 1\n", "there is no setting boostrap: did you mean bootstrap?"),
        ('bootstrap = "k:1"\ndeployment = "my shop"\n', "cannot name a deployment"),
        ('bootstrap = "k:1"\ndeployment = "a.b"\n', "cannot name a deployment"),
        (GOOD + "clickhouse = 8123\n", "clickhouse: Input should be a valid string"),
        ("bootstrap = kafka\n", "Write it as TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(StreamRefused, match=said) as refused:
        load_settings(folder_with(tmp_path, text))
    assert str(tmp_path / "stream.toml") in str(refused.value)


def test_a_folder_is_a_stream_where_it_or_the_environment_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not Folder(tmp_path).is_stream
    monkeypatch.setenv("TALLYBOOK_BOOTSTRAP", "kafka:9092")
    assert Folder(tmp_path).is_stream
    (tmp_path / "books").mkdir()
    assert not Folder(tmp_path).is_stream  # what lies here is meant
    assert Folder(folder_with(tmp_path, GOOD)).is_stream


@pytest.mark.parametrize("shared", ["file://{}/shared", "{}/shared"])
def test_snapshots_can_be_shared(tmp_path: Path, shared: str) -> None:
    text = GOOD + f'snapshots = "{shared.format(tmp_path)}"\n'
    stores = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        stores.append(open_stream(folder_with(tmp_path / name, text)).snapshot_store())
    header = SnapshotHeader("0001", 0, 1, 7, None, 0, 0, "", "", 0, 0)
    stores[0].save("0001", 0, b"accounts", header)
    assert stores[1].load("0001", 0) == (header, b"accounts")
    assert (tmp_path / "shared" / "shop").is_dir()


def test_a_place_for_snapshots_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    stream = open_stream(folder_with(tmp_path, GOOD + 'snapshots = "nowhere://x"\n'))
    with pytest.raises(StreamRefused, match="snapshots: nowhere://x/shop"):
        stream.snapshot_store()


def test_a_registry_is_an_address(tmp_path: Path) -> None:
    with pytest.raises(StreamRefused, match=r"registry: .*http://registry:8081"):
        load_settings(folder_with(tmp_path, GOOD + 'registry = "registry:8081"\n'))
