from dataclasses import fields
from pathlib import Path

import pytest

from shared.errors import Misconfigured
from shared.settings import EngineSpec, Settings, load_settings, parse_engine


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def load(environ=None, flags=None, toml=None, tmp_path=None):
    file = None
    if toml is not None:
        file = tmp_path / "my.toml"
        file.write_text(toml, encoding="utf-8")
    return load_settings(flags, environ=environ or {}, file=file)


def test_defaults_need_nothing():
    assert load() == Settings()


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path):
    toml = 'port = 1\nhost = "file"\nlog_level = "DEBUG"'
    environ = {"QUIRE_PORT": "2", "QUIRE_HOST": "environment", "PATH": "x"}
    made = load(environ, {"port": 3, "host": None}, toml, tmp_path)
    assert (made.port, made.host, made.log_level) == (3, "environment", "DEBUG")


def test_lists_come_with_commas_or_as_toml_lists(tmp_path):
    assert load({"QUIRE_ENGINES": "a, b*2:gpu1,"}).engines == ("a", "b*2:gpu1")
    assert load(toml='engines = ["a", "b"]', tmp_path=tmp_path).engines == ("a", "b")
    assert load({"QUIRE_API_KEYS": ""}).api_keys == ()


def test_the_file_may_be_named_in_the_environment(tmp_path):
    (tmp_path / "x.toml").write_text("port = 7", encoding="utf-8")
    assert load({"QUIRE_CONFIG": str(tmp_path / "x.toml")}).port == 7
    with pytest.raises(Misconfigured, match="does not exist"):
        load({"QUIRE_CONFIG": str(tmp_path / "missing.toml")})


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"QUIRE_PORT": "many"}, "QUIRE_PORT: 'many' is not a value for port"),
        ({"QUIRE_PORT": "70000"}, "at most 65535"),
        ({"QUIRE_PORT": "0"}, "port must be above 0"),
        ({"QUIRE_PAGE_SECONDS": "-1"}, "page_seconds must be above 0"),
        ({"QUIRE_PAGE_SECONDS": "nan"}, "page_seconds"),
        ({"QUIRE_PAGE_SECONDS": "inf"}, "page_seconds"),
        ({"QUIRE_LOG_LEVEL": "LOUD"}, "one of DEBUG, INFO"),
        ({"QUIRE_OCR_RUNTIME": "torch"}, "ocr_runtime must be one of"),
        ({"QUIRE_ENGINES": "a*0"}, "QUIRE_ENGINES"),
    ],
)
def test_a_wrong_value_is_named_with_its_setting(environ, words):
    with pytest.raises(Misconfigured, match=words.replace("[", "\\[")):
        load(environ)


@pytest.mark.parametrize(
    "toml", ["colour = 1", "port = [1]", "port = true", "port = 1.5", "host = 3", "port ="]
)
def test_a_wrong_file_is_refused(toml, tmp_path):
    with pytest.raises(Misconfigured):
        load(toml=toml, tmp_path=tmp_path)


def test_a_secret_is_never_repeated(tmp_path):
    with pytest.raises(Misconfigured) as caught:
        load(toml="api_keys = 12345", tmp_path=tmp_path)
    assert "12345" not in str(caught.value)


def test_zero_is_allowed_where_it_means_something():
    made = load({"QUIRE_ENGINE_THREADS": "0", "QUIRE_MIN_FREE_MIB": "0"})
    assert (made.engine_threads, made.min_free_mib) == (0, 0)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("pymupdf", EngineSpec("pymupdf")),
        ("a*2", EngineSpec("a", 2)),
        ("a:gpu0", EngineSpec("a", 1, 0)),
        ("a-b_c*12:gpu3", EngineSpec("a-b_c", 12, 3)),
    ],
)
def test_an_engine_says_how_many_and_where(text, spec):
    assert parse_engine(text) == spec


@pytest.mark.parametrize("text", ["", "A", "a*", "a*0", "a*00", "a:gpu", "a:cpu", "a b", "../a"])
def test_what_is_no_engine_is_refused(text):
    with pytest.raises(Misconfigured):
        parse_engine(text)


def test_every_setting_has_a_help_text_and_the_database_lies_in_the_data_directory():
    assert all(field.metadata["help"].endswith(".") for field in fields(Settings))
    made = Settings(data=Path("/d"))
    assert made.url == "sqlite:////d/quire.db"
    assert Settings(database_url="postgresql://x").url == "postgresql://x"
