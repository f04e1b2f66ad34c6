"""fpo-track: which tool, which jobs."""
from __future__ import annotations

import argparse
import importlib
import logging
import os
import signal
import sys
import threading
from typing import Any, Callable, Iterable, Sequence

from ..errors import FpoError

_HELP = """Follows jobs through the coordinator and writes their parameters, numbers, tags and end into MLflow, Weights & Biases or trackio.

Started again it goes on where it ended: no step is missing, none is there twice. A job has one run, which a resumed attempt and an unchanged
retry (`fpoctl retry`) continue. Where the tool is and who you are there is the tool's own business: MLFLOW_TRACKING_URI, WANDB_API_KEY,
WANDB_MODE=offline, TRACKIO_DIR. The coordinator is the one that fpoctl would use: FPO_SERVER, FPO_TOKEN_FILE, FPO_TLS_CA, or a context.
"""
_TOOLS = {"mlflow": ("mlflow_runs", "Mlflow", "MLFLOW_EXPERIMENT_NAME"), "wandb": ("wandb_runs", "Wandb", "WANDB_PROJECT"),
          "trackio": ("trackio_runs", "Trackio", "TRACKIO_PROJECT")}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fpo-track", description=_HELP, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool", choices=sorted(_TOOLS))
    parser.add_argument("jobs", nargs="*", metavar="JOB", help="ids or names; it ends when they have ended")
    parser.add_argument("--all", action="store_true", help="every job, also those to come; until it is stopped")
    parser.add_argument("--label", action="append", default=[], metavar="NAME=VALUE", help="with --all: only jobs with this label")
    parser.add_argument("--owner", default="", help="with --all: only this user's jobs")
    parser.add_argument("--once", action="store_true", help="write what there is, then end")
    parser.add_argument("--project", help="MLflow's experiment, W&B's or trackio's project (default: the tool's variable, else fpo)")
    parser.add_argument("--interval", type=float, default=5.0, metavar="SECONDS", help="between looks at a job (default: 5)")
    parser.add_argument("--server", metavar="HOST:PORT", help="the coordinator")
    parser.add_argument("--token-file", metavar="FILE", help="your token")
    parser.add_argument("--tls-ca", metavar="FILE", help="the CA of the coordinator's certificate")
    return parser


def _tool(name: str, project: str | None) -> Any:
    module, kind, variable = _TOOLS[name]
    try:
        return getattr(importlib.import_module(f".{module}", __package__), kind)(project or os.environ.get(variable) or "fpo")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != name:
            raise
        sys.exit(f"fpo-track: {name} is not installed: pip install 'fpo[{name}]'")


def _labels(parser: argparse.ArgumentParser, words: Sequence[str]) -> dict[str, str]:
    for word in words:
        if "=" not in word:
            parser.error(f"--label is {word!r} and must be NAME=VALUE")
    return dict(word.split("=", 1) for word in words)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    args = parser.parse_args(arguments)
    if bool(args.jobs) == args.all:
        parser.error("name the jobs to follow, or give --all")
    if (args.label or args.owner) and not args.all:
        parser.error("--label and --owner belong to --all")
    if not 0.05 <= args.interval <= 3600:
        parser.error("--interval must be from 0.05 to 3600")
    labels = _labels(parser, args.label)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("fpo.track").setLevel(logging.INFO)
    try:
        from ..client import Client
        from .follow import follow, newest_retry

        client = Client(args.server, None, args.token_file, args.tls_ca)
        find: Callable[[], Iterable[Any]]
        if args.all:
            def find() -> Iterable[Any]:
                return reversed(list(client.jobs(labels=labels, owner=args.owner)))  # a retry after what it retries
        else:
            jobs = [newest_retry(client, client.job(each)) for each in args.jobs]

            def find() -> Iterable[Any]:
                return jobs
        tool = _tool(args.tool, args.project)
        stop = threading.Event()
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: stop.set())
        well = follow(client, tool, find, stop=stop, interval=args.interval, once=args.once, forever=args.all)
        return 0 if well else 1
    except FpoError as error:
        sys.exit(f"fpo-track: {error}")
    except (OSError, ValueError) as error:
        sys.exit(f"fpo-track: {args.tool}: {error}")


if __name__ == "__main__":
    sys.exit(main())
