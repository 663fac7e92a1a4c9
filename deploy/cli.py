"""The `quire` command."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from deploy.flags import add_setting_flags, settings_from
from deploy.log_lines import configure_logging
from shared.errors import Misconfigured, QuireError

FAILURE, USAGE, INTERRUPTED = 1, 2, 130

FORMATS = ("md", "json", "html", "txt", "docx", "pdf", "hocr")
PRIORITIES = ("interactive", "batch", "backfill")
# usage and one line of what it does, for --help and for README.md
COMMANDS = {
    "up": ("quire up", "Start everything in this terminal; Ctrl-C finishes and stops."),
    "ocr": ("quire ocr FILE... [-o DIR]", "Convert files without a server."),
    "eval": (
        "quire eval DIR --engine NAME...",
        "Measure engines on documents of known text.",
    ),
    "submit": ("quire submit FILE...", "Send files to a running server; prints the jobs' ids."),
    "status": ("quire status [JOB...]", "Show jobs of a running server; without JOB the newest."),
    "replay": ("quire replay JOB", "Run a job again: other engine, options or pages."),
    "cancel": ("quire cancel JOB...", "Stop jobs; what is done stays."),
    "engine": ("quire engine NAME", "One engine process, here or for a broker on another host."),
    "keys": (
        "quire keys [ACTION] [NAME]",
        "Make, list, add and revoke the keys that let other hosts onto the bus.",
    ),
    "doctor": ("quire doctor", "Look at the installation and say what to do."),
}
_ROLES = ("broker", "split", "collect", "web")  # what `up` starts; hidden from the help
_PRIVATE: tuple[str, ...] = (
    "host",
    "port",
    "data",
    "database_url",
    "bus",
    "bus_events",
    "bus_keys",
    "bus_key",
    "engines",
    "api_keys",
)
_PRIVATE += ("cors_origins",)  # `ocr` has a system of its own, without a web front


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"quire: {message}. See {self.prog} --help.", file=sys.stderr)
        sys.exit(USAGE)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. The exit code: 0 done, 1 failed, 2 wrong usage or settings."""
    arguments = build_parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        return run(arguments)
    except Misconfigured as error:
        print(f"quire: {error}", file=sys.stderr)
        return USAGE
    except QuireError as error:
        print(f"quire: {error}", file=sys.stderr)
        return FAILURE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `quire ocr ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = _Parser(prog="quire", description="OCR with several engines.", allow_abbrev=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)

    def command(name: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        _, text = COMMANDS[name]
        added = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        added.set_defaults(run=run, command=name)
        return added

    add_setting_flags(command("up", _up))
    _add_ocr(command("ocr", _ocr))
    _add_eval(command("eval", _eval))
    _add_submit(command("submit", _server))
    _add_status(command("status", _server))
    _add_replay(command("replay", _server))
    cancel = command("cancel", _server)
    cancel.add_argument("jobs", nargs="+", metavar="JOB")
    _add_server(cancel)
    engine = command("engine", _role)
    engine.add_argument("name", metavar="NAME", help="pymupdf, mineru, deepseek, ...")
    engine.add_argument("--gpu", type=_gpu, metavar="N", help="number of the GPU to use")
    add_setting_flags(engine)
    _add_keys(command("keys", _keys))
    add_setting_flags(command("doctor", _doctor))
    for role in _ROLES:
        hidden = commands.add_parser(role, allow_abbrev=False)
        hidden.set_defaults(run=_role, command=role)
        add_setting_flags(hidden)
    return parser


def _add_ocr(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("-o", "--output", metavar="DIR", help="write files there, not to stdout")
    _add_choice(parser)
    parser.add_argument("--format", choices=FORMATS, default="md", help="what to write [md]")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--verbose", action="store_true", help="show what the processes log")
    add_setting_flags(parser, without=_PRIVATE)


def _add_eval(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="documents; FILE.md, FILE.txt or FILE.p1.md")
    parser.add_argument("--engine", action="append", default=[], help="may be given again")
    parser.add_argument("--json", default="", metavar="FILE", help="write all figures there")
    parser.add_argument("--html", default="", metavar="FILE", help="write a page with the worst")
    parser.add_argument("--verbose", action="store_true", help="show what the processes log")
    add_setting_flags(parser, without=_PRIVATE)


def _add_submit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE")
    _add_choice(parser)
    parser.add_argument("--priority", choices=PRIORITIES, help="which queue [interactive]")
    _add_wait(parser)
    _add_server(parser)


def _add_status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("jobs", nargs="*", metavar="JOB")
    _add_wait(parser)
    _add_server(parser)


def _add_replay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("jobs", nargs=1, metavar="JOB")
    _add_choice(parser, default=None)
    parser.add_argument(
        "--from",
        dest="origin",
        choices=("recognize", "postprocess"),
        default="recognize",
        help="run the engine again, or only read its stored output again",
    )
    _add_wait(parser)
    _add_server(parser)


def _add_keys(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        nargs="?",
        choices=("make", "list", "add", "revoke"),
        default="make",
        help="make: what is missing, one for each role [make]",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="the key to add or to revoke")
    parser.add_argument("--role", default="engine", help="what it may do on the bus [engine]")
    parser.add_argument("--engine", default="", metavar="NAME", help="only this engine [any]")
    add_setting_flags(parser)


def _add_choice(parser: argparse.ArgumentParser, default: str | None = "auto") -> None:
    parser.add_argument("--engine", default=default, help="auto, or names joined by commas [auto]")
    parser.add_argument("--pages", default=None, help="pages and ranges from 1, like 1-3,8 [all]")


def _add_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="until the jobs are done")


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--server", metavar="URL", help="[where the settings say]; key: QUIRE_API_KEY"
    )
    add_setting_flags(parser, without=[n for n in _PRIVATE if n not in {"host", "port"}])


def _gpu(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a GPU")
    return int(text)


def _up(arguments: argparse.Namespace) -> int:
    from deploy.up import run_up

    return run_up(settings_from(arguments))


def _ocr(arguments: argparse.Namespace) -> int:
    from deploy.ocr import OcrRequest, run_ocr

    request = OcrRequest(
        files=tuple(arguments.files),
        output=arguments.output,
        engine=arguments.engine,
        pages=arguments.pages or "",
        format=arguments.format,
        overwrite=arguments.overwrite,
        verbose=arguments.verbose,
    )
    return run_ocr(settings_from(arguments), request)


def _eval(arguments: argparse.Namespace) -> int:
    from deploy.evaluation.command import EvalRequest, run_eval

    request = EvalRequest(
        folder=arguments.folder,
        engines=tuple(name for text in arguments.engine for name in text.split(",") if name),
        json=arguments.json,
        html=arguments.html,
        verbose=arguments.verbose,
    )
    return run_eval(settings_from(arguments), request)


def _server(arguments: argparse.Namespace) -> int:
    from deploy.server_commands import run_command
    from deploy.up import url_of

    url = arguments.server or url_of(settings_from(arguments))
    return run_command(url, arguments, api_key=os.environ.get("QUIRE_API_KEY", ""))


def _keys(arguments: argparse.Namespace) -> int:
    from deploy.key_commands import run_keys

    return run_keys(
        settings_from(arguments),
        arguments.action,
        arguments.name or "",
        role=arguments.role,
        engine=arguments.engine,
    )


def _doctor(arguments: argparse.Namespace) -> int:
    from deploy.doctor import run_doctor

    return run_doctor(settings_from(arguments))


def _role(arguments: argparse.Namespace) -> int:
    from deploy import roles

    settings = settings_from(arguments)
    configure_logging(settings.log_level)
    if arguments.command == "engine":
        roles.run_engine(settings, arguments.name, arguments.gpu)
        return 0
    run = {
        "broker": roles.run_broker,
        "split": roles.run_split,
        "collect": roles.run_collect,
        "web": roles.run_web,
    }[arguments.command]
    run(settings)
    return 0
