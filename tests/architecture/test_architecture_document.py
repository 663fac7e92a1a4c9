"""ARCHITECTURE.md names what the code has."""

import re
from dataclasses import is_dataclass
from pathlib import Path

from bus.permissions import MAY_SEND
from deploy.plan import Phase, processes_of
from deploy.supervisor import DRAIN_SECONDS
from shared import messages
from shared.settings import Settings
from stages.work import COLLECT_LEAVE_SECONDS, LEAVE_SECONDS

TEXT = (Path(__file__).parents[2] / "ARCHITECTURE.md").read_text(encoding="utf-8")


def test_the_table_of_messages_is_the_code():
    kinds = {name for name, kind in vars(messages).items() if is_dataclass(kind)}
    table = TEXT.split("## Messages")[1].split("##")[0]
    rows = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert rows == kinds


def test_keys_may_send_what_the_table_says():
    peers = set(MAY_SEND) - {"web"}
    groups = {"peer": peers, "worker": {"engine", "split"}}
    table = TEXT.split("## Messages")[1].split("##")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([\w, ]+) → broker", table, re.MULTILINE)
    assert len(rows) > 10
    for kind, senders in rows:
        named = [groups.get(word, {word}) for word in senders.split(", ")]
        may = {role for role, kinds in MAY_SEND.items() if getattr(messages, kind) in kinds}
        assert may == set().union(*named), kind
    sent = {kind.__name__ for kinds in MAY_SEND.values() for kind in kinds}
    assert sent == {kind for kind, _ in rows}


def test_the_order_of_stopping_is_the_code():
    names = {"web": Phase.WEB, "split": Phase.WORKERS, "collect": Phase.COLLECT}
    section = TEXT.split("## Stopping, in order")[1].split("\n## ")[0]
    steps = re.findall(r"^\d\. (?:The )?`?(\w+)`?", section, re.MULTILINE)
    assert [names.get(step, Phase.BROKER) for step in steps] == sorted(Phase)
    assert list(DRAIN_SECONDS) == sorted(Phase)
    of = {spec.name: spec.phase for spec in processes_of(Settings())}
    assert of == {**names, "pymupdf": Phase.WORKERS, "broker": Phase.BROKER}


def test_stages_leave_before_the_supervisor_ends_them():
    assert DRAIN_SECONDS[Phase.WORKERS] > LEAVE_SECONDS
    assert DRAIN_SECONDS[Phase.COLLECT] > COLLECT_LEAVE_SECONDS


def test_every_process_has_its_promise():
    table = TEXT.split("## Promises")[1].split("\n#")[0]
    rows = set(re.findall(r"^\| (\w+) \|", table, re.MULTILINE))
    roles = {spec.name for spec in processes_of(Settings())} - {"pymupdf"}
    assert roles | {"engine", "supervisor"} <= rows


def test_no_two_messages_share_a_number():
    kinds = [kind.KIND for kind in vars(messages).values() if is_dataclass(kind)]
    assert len(kinds) == len(set(kinds))


def test_every_package_has_its_row():
    table = TEXT.split("## Folders")[1].split("##")[0]
    rows = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert rows == {"deploy", "web", "stages", "bus", "engines", "store", "shared"}


def test_every_file_that_it_names_exists():
    root = Path(__file__).parents[2]
    for name in set(re.findall(r"`([a-z_]+/[a-z_/]+\.py)`", TEXT)):
        assert (root / name).is_file(), name
