"""Where the study is kept: what is accepted, and that a password stays where it was given."""

import pytest
import yaml

from compress.errors import ConfigError
from configs.load import check_config, difference, dump_config, load_config
from configs.schema.run import RunConfig
from configs.schema.storage import check_storage, hide_passwords, is_server, without_password

PASSWORD = "s3cret"
URL = f"postgresql://me:{PASSWORD}@db.example:5432/studies"
BARE = "postgresql://me@db.example:5432/studies"


def document(storage: object) -> dict[str, object]:
    return {
        "name": "run",
        "model": {"zoo": "digits_resnet"},
        "data": {"source": "digits"},
        "budget": {"flops": "4x"},
        "search": {"storage": storage},
    }


def config(storage: object) -> RunConfig:
    return check_config(document(storage), "test")


@pytest.mark.parametrize(
    ("given", "bare"),
    [
        (URL, BARE),
        (BARE, BARE),
        ("postgresql+psycopg2://me:s3cret@[::1]/studies", "postgresql+psycopg2://me@[::1]/studies"),
        ("mysql+pymysql://me:s%403cret@h/d?charset=utf8mb4", "mysql+pymysql://me@h/d?charset=utf8mb4"),
        ("mysql://me:s/3?c#ret@h/d", "mysql://me@h/d"),
        ("postgresql:///studies?host=/run/postgresql", "postgresql:///studies?host=%2Frun%2Fpostgresql"),
        ("postgresql://me@cloud:s3cret@h/d", "postgresql://me%40cloud@h/d"),
    ],
)
def test_a_url_is_kept_with_its_password_and_written_without(given: str, bare: str) -> None:
    made = config(given)
    assert is_server(made.search.storage)
    assert made.search.storage == given
    assert without_password(given) == bare
    assert without_password(bare) == bare
    written = yaml.safe_load(dump_config(made))
    assert written["search"]["storage"] == bare
    assert check_config(written, "test").search.storage == bare
    assert "s3cret" not in repr(made)


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_a_kind_of_file_is_no_server(kind: str) -> None:
    assert not is_server(config(kind).search.storage)
    assert without_password(kind) == kind


@pytest.mark.parametrize(
    ("given", "received"),
    [
        ("mysql", "journal, sqlite or a URL such as postgresql://user:password@host:5432/database, received 'mysql'"),
        ("postgresql:me:s3cret@h/d", "received 'postgresql'"),
        ("postgres://me:s3cret@h/d", "mysql+pymysql://, mysql+mysqldb://, received postgres://"),
        ("postgresql+asyncpg://me:s3cret@h/d", "received postgresql+asyncpg://"),
        ("sqlite:///runs/s3cret.db", "received sqlite://"),
        ("postgresql://me:s3cret@h", "received one without a database"),
        ("postgresql://me:s3cret@h/", "received one without a database"),
        ("postgresql://me:x@s3cret@h/d", "received one with two @; write special characters .* (@ as %40)"),
        ("postgresql://me:s3cret", "received one that cannot be read"),
        ("postgresql://me@h/d?password=s3cret", "a password behind the question mark; write it behind the user"),
        ("mysql://me@h/d?passwd=s3cret", "a password behind the question mark"),
    ],
)
def test_another_storage_is_refused_without_repeating_a_password(given: str, received: str) -> None:
    with pytest.raises(
        ConfigError, match=received.replace("(", r"\(").replace(")", r"\)").replace("+", r"\+")
    ) as error:
        config(given)
    assert str(error.value).startswith("test: search.storage: expected ")
    assert PASSWORD not in str(error.value)
    with pytest.raises(ValueError):
        check_storage(given)


@pytest.mark.parametrize("given", [[URL], {"url": URL}, [f"{URL}/{'x' * 300}"], {URL: 1}])
def test_a_url_of_another_type_is_not_repeated_whole(given: object) -> None:
    with pytest.raises(ConfigError, match="search.storage: expected text, received ") as error:
        config(given)
    assert PASSWORD not in str(error.value)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    "text",
    [
        f"search: {URL}",
        URL,
        f"search: {{storage: {URL}",
        f"search:\n  storage: '{URL}\nname: a\n",
        f"search:\n  storage: {URL}\n  storage: {URL}\n",
        f"search: {{storage: {URL}, storage: {URL}}}\n",
    ],
)
def test_a_file_that_is_refused_is_not_quoted_with_a_password(tmp_path, text: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert PASSWORD not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "overrides",
    [
        (f"search.storage={URL}", "seed=-1"),
        (f"search.storage:{URL}",),
        (f"search.storage='{URL}",),
        (f"search.storage={URL}", "search.storage.url=1"),
        (f"search={URL}", "search.trials=1"),
        (f"search.storage={URL}?x", "x=[1"),
    ],
)
def test_an_override_is_not_repeated_with_a_password(tmp_path, overrides: tuple[str, ...]) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(document("journal")))
    with pytest.raises(ConfigError) as error:
        load_config(path, overrides)
    assert PASSWORD not in str(error.value)


def test_another_password_is_no_difference() -> None:
    assert difference(config(URL), config(BARE)) == []
    assert difference(config(URL), config(URL.replace(PASSWORD, "other"))) == []
    changed = difference(config(URL), config(URL.replace("/studies", "/others")))
    assert changed == [f'search.storage: "{BARE}" -> "{BARE.replace("/studies", "/others")}"']


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (f"cannot reach {URL} now", "cannot reach postgresql://me:***@db.example:5432/studies now"),
        ("postgresql://:s3cret@h/d", "postgresql://:***@h/d"),
        ("postgresql://me:a@s3cret:s3cret@h/d", "postgresql://me:***@h/d"),
        ("postgresql://me:a b s3cret@h/d", "postgresql://me:***@h/d"),
        ("mysql://me@h/d?passwd=s3cret&x=1 failed", "mysql://me@h/d?passwd=***&x=1 failed"),
        ("postgresql://me@h/d, http://h:80/x", "postgresql://me@h/d, http://h:80/x"),
    ],
)
def test_passwords_in_text_are_hidden(text: str, hidden: str) -> None:
    assert hide_passwords(text) == hidden
