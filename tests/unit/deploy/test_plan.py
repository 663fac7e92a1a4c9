import sys
from dataclasses import fields
from pathlib import Path

import pytest

from deploy.plan import Phase, processes_of, settings_environment
from deploy.roles import visible_gpu
from deploy.up import require_known_engines
from shared.errors import Misconfigured
from shared.settings import Settings, load_settings


def test_every_process_of_the_settings_has_a_name_of_its_own():
    settings = Settings(engines=("pymupdf*2", "deepseek:gpu0", "deepseek:gpu1"), split_processes=2)
    specs = processes_of(settings)
    assert [spec.name for spec in specs] == [
        "broker", "collect", "web", "split", "split-2",
        "pymupdf", "pymupdf-2", "deepseek", "deepseek-2",
    ]  # fmt: skip
    assert specs[-1].command[-4:] == ("engine", "deepseek", "--gpu", "1")
    assert {spec.phase for spec in specs} == set(Phase)


def test_children_get_exactly_our_settings():
    settings = Settings(
        port=9000, engines=("a", "b*2:gpu1"), api_keys=(), data=Path("here"), hang_factor=2.5
    )
    environ = settings_environment(settings)
    read = load_settings(environ=environ)
    for item in fields(Settings):
        if item.name != "data":
            assert getattr(read, item.name) == getattr(settings, item.name), item.name
    assert read.data == Path("here").absolute()


def test_a_settings_file_of_the_working_directory_does_not_reach_children(tmp_path, monkeypatch):
    (tmp_path / "quire.toml").write_text("no_setting = 1")
    monkeypatch.chdir(tmp_path)
    assert load_settings(environ=settings_environment(Settings())).port == 8080


def test_an_engine_may_have_its_own_interpreter():
    settings = Settings(engines=("pymupdf", "mineru"), engine_pythons=(f"mineru={sys.executable}",))
    assert processes_of(settings)[-1].command[0] == sys.executable
    with pytest.raises(Misconfigured, match="mineru=/nowhere"):
        processes_of(Settings(engine_pythons=("mineru=/nowhere",)))


def test_gpus_are_counted_among_those_given():
    assert visible_gpu(1, {}) == "1"
    assert visible_gpu(1, {"CUDA_VISIBLE_DEVICES": "4,6"}) == "6"


def test_an_engine_that_there_is_none_of_is_named_before_anything_starts():
    with pytest.raises(Misconfigured, match="'wat'"):
        require_known_engines(Settings(engines=("pymupdf", "wat")), "QUIRE_ENGINES")
