import io

from deploy.log_lines import MAX_LINE, LineSplitter, Terminal, secrets_of
from shared.settings import Settings


def test_lines_come_whole_however_the_bytes_are_cut():
    said: list[str] = []
    splitter = LineSplitter(said.append)
    for byte in "eins\nzwölf\r\n三".encode():
        splitter.feed(bytes([byte]))
    assert said == ["eins", "zwölf"]
    splitter.finish()
    assert said == ["eins", "zwölf", "三"]


def test_endless_lines_are_cut():
    said: list[str] = []
    splitter = LineSplitter(said.append)
    for _ in range(10):
        splitter.feed(b"x" * MAX_LINE)
    assert said
    assert max(map(len, said)) < MAX_LINE + 20


def test_secrets_are_never_written():
    settings = Settings(
        api_keys=("key-one", "key-one-longer"), database_url="postgresql://u:pw@h/d"
    )
    stream = io.StringIO()
    say = Terminal(stream, secrets=secrets_of(settings))
    say("web", "asked with key-one-longer and key-one at postgresql://u:pw@h/d")
    assert stream.getvalue().endswith("web        | asked with *** and *** at ***\n")


def test_a_closed_terminal_stops_nothing():
    stream = io.StringIO()
    say = Terminal(stream)
    stream.close()
    say("web", "one")
    say("web", "two")
