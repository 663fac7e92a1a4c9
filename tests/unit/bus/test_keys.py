"""Key files: made, listed, revoked, and refused with a sentence."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from bus import keys
from bus.dial import reachable
from bus.sockets import check_bind, is_private
from deploy.cli import main
from shared.errors import Misconfigured
from shared.settings import Settings


@pytest.fixture
def settings(tmp_path):
    keys.make_missing(tmp_path / "keys")
    return Settings(bus_keys=str(tmp_path / "keys"))


def test_each_role_gets_a_key_that_only_its_owner_can_read(settings, tmp_path):
    folder = tmp_path / "keys"
    server = keys.server_key(settings)
    for role in keys.ROLES:
        key = keys.client_key(settings, role)
        assert key.server == server.public
        assert key.pair.secret != server.secret
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 2 + 2 * len(keys.ROLES)  # the broker's, the lock, two for each
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(p.stat().st_mode) for p in (folder, folder / "allowed")} == {0o700}
    assert keys.make_missing(folder) == []


def test_without_settings_there_is_no_key():
    assert keys.server_key(Settings()) is None
    assert keys.client_key(Settings(), "engine") is None


def test_a_remote_engine_needs_one_file(settings, tmp_path):
    path = keys.add(tmp_path / "keys", "gpu-box", "engine", "deepseek")
    alone = tmp_path / "elsewhere.key"
    path.rename(alone)
    remote = Settings(bus_key=str(alone))
    assert keys.client_key(remote, "engine").server == keys.server_key(settings).public
    with pytest.raises(Misconfigured, match="role 'engine'"):
        keys.client_key(remote, "collect")
    grants, problems = keys.allowed(tmp_path / "keys")
    (grant,) = [grant for grant in grants if grant.name == "gpu-box"]
    assert (grant.role, grant.engine, problems) == ("engine", "deepseek", [])
    keys.revoke(tmp_path / "keys", "gpu-box")
    assert "gpu-box" not in {grant.name for grant in keys.allowed(tmp_path / "keys")[0]}


@pytest.mark.parametrize("name", ["", "server", "../up", "a/b", "Big", "x" * 64])
def test_bad_names_make_no_file(settings, tmp_path, name):
    with pytest.raises(Misconfigured):
        keys.add(tmp_path / "keys", name, "engine")
    with pytest.raises(Misconfigured):
        keys.revoke(tmp_path / "keys", name)


def test_a_name_is_used_once_and_a_role_must_exist(settings, tmp_path):
    with pytest.raises(Misconfigured, match="exists"):
        keys.add(tmp_path / "keys", "engine", "engine")
    with pytest.raises(Misconfigured, match="no role"):
        keys.add(tmp_path / "keys", "other", "boss")


def test_a_secret_that_others_can_read_is_refused(settings, tmp_path):
    (tmp_path / "keys" / "server.key").chmod(0o640)
    with pytest.raises(Misconfigured, match="chmod 600"):
        keys.server_key(settings)


def test_a_key_whose_making_was_cut_short_is_mended(settings, tmp_path):
    folder = tmp_path / "keys"
    keys.add(folder, "gpu-box", "engine")
    for name in ("web", "gpu-box"):  # ended between the two files
        (folder / "allowed" / f"{name}.pub").unlink()
    before = keys.client_key(settings, "web").pair
    assert keys.make_missing(folder) == ["web"]
    after = keys.client_key(settings, "web").pair
    assert after != before  # what lets nobody in may have been taken off the list on purpose
    assert after.public in {grant.public for grant in keys.allowed(folder)[0]}
    keys.revoke(folder, "gpu-box")
    assert keys.add(folder, "gpu-box", "engine").exists()


def test_a_key_that_cannot_be_written_leaves_no_half_of_it(settings, tmp_path, monkeypatch):
    def fail(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(Misconfigured, match="No space left"):
        keys.add(tmp_path / "keys", "gpu-box", "engine")
    assert not (tmp_path / "keys" / "gpu-box.key").exists()


def test_several_that_make_what_is_missing_make_it_once(tmp_path):
    folder = tmp_path / "keys"
    with ThreadPoolExecutor(8) as threads:
        made = [name for names in threads.map(keys.make_missing, [folder] * 8) for name in names]
    assert sorted(made) == sorted([keys.SERVER, *keys.ROLES])
    settings = Settings(bus_keys=str(folder))
    listed = {grant.name: grant.public for grant in keys.allowed(folder)[0]}
    for role in keys.ROLES:
        key = keys.client_key(settings, role)
        assert (key.server, key.pair.public) == (keys.server_key(settings).public, listed[role])


def test_the_brokers_own_key_is_not_revoked(settings, tmp_path):
    with pytest.raises(Misconfigured, match="no key"):
        keys.revoke(tmp_path / "keys", keys.SERVER)
    assert keys.server_key(settings) is not None


def test_a_missing_or_broken_key_is_refused(settings, tmp_path):
    path = tmp_path / "keys" / "web.key"
    path.write_text('role = "web"\npublic = "short"\n')
    with pytest.raises(Misconfigured, match="40 characters"):
        keys.client_key(settings, "web")
    path.unlink()
    with pytest.raises(Misconfigured, match="quire keys"):
        keys.client_key(settings, "web")


def test_a_broken_entry_lets_nobody_in_and_harms_nobody(settings, tmp_path):
    (tmp_path / "keys" / "allowed" / "odd.pub").write_text("role = 'king'")
    grants, problems = keys.allowed(tmp_path / "keys")
    assert len(grants) == len(keys.ROLES)
    assert "odd.pub" in problems[0]


PUBLIC = ["tcp://0.0.0.0:1", "tcp://*:1", "tcp://192.0.2.1:1", "tcp://[::]:1", "tcp://eth0:1"]
PUBLIC += ["tcp://127.0.0.1.example:1"]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_need_keys(address):
    with pytest.raises(Misconfigured, match="quire keys"):
        check_bind(address, keyed=False)
    check_bind(address, keyed=True)


@pytest.mark.parametrize(
    "address", ["ipc:///tmp/x", "tcp://127.0.0.9:1", "tcp://localhost:1", "tcp://[::1]:1"]
)
def test_private_addresses_need_none(address):
    assert is_private(address)


def test_what_is_bound_everywhere_is_reached_on_loopback():
    assert reachable("tcp://0.0.0.0:5570") == reachable("tcp://*:5570") == "tcp://127.0.0.1:5570"
    assert reachable("tcp://[::]:5570") == "tcp://[::1]:5570"
    assert reachable("tcp://192.0.2.1:5570") == "tcp://192.0.2.1:5570"


def test_the_command_makes_lists_and_revokes(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("QUIRE_BUS_KEYS", str(tmp_path / "k"))
    assert main(["keys"]) == 0
    assert main(["keys", "add", "gpu-box", "--engine", "deepseek"]) == 0
    assert "quire engine deepseek --bus" in capsys.readouterr().out
    assert main(["keys", "list"]) == 0
    assert "gpu-box" in capsys.readouterr().out
    assert main(["keys", "revoke", "gpu-box"]) == 0
    assert main(["keys", "revoke", "gpu-box"]) == 2
    assert "Keys: collect, engine" in capsys.readouterr().err
    assert main(["keys", "add"]) == 2
