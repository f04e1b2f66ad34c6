"""fpo-openai: its flags, and the server on its own socket."""
from __future__ import annotations

import argparse
import ipaddress
import json
import logging
import os
import signal
import socket
import ssl
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, Sequence

from ..errors import FpoError, FpoWarning

_HELP = """OpenAI's fine-tuning API (files, fine_tuning.jobs, models) in front of fpo-coordinator.

The workers read the uploaded files in --data and write models below --output: both must have the same path on every worker, below its --root
and --output-root where it has them. The coordinator is the one that fpoctl would use: FPO_SERVER, FPO_TOKEN_FILE, FPO_TLS_CA, or a context.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fpo-openai", description=_HELP, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, metavar="DIR", help="uploaded files")
    parser.add_argument("--models", required=True, type=Path, metavar="FILE", help="YAML: the models that may be fine-tuned")
    parser.add_argument("--output", type=Path, metavar="DIR", help="output folders of the jobs (default: DATA/outputs)")
    parser.add_argument("--listen", default="127.0.0.1:8000", metavar="HOST:PORT", help="default: 127.0.0.1:8000; port 0: any free one")
    parser.add_argument("--port-file", type=Path, metavar="FILE", help="write the address there once it listens")
    parser.add_argument("--server", metavar="HOST:PORT", help="the coordinator")
    parser.add_argument("--token-file", metavar="FILE", help="this server's token of the coordinator")
    parser.add_argument("--tls-ca", metavar="FILE", help="the CA of the coordinator's certificate")
    parser.add_argument("--api-keys", type=Path, metavar="FILE", help="callers' keys, one a line (mode 600); their jobs are this server's")
    parser.add_argument("--pass-tokens", action="store_true", help="callers' keys are their tokens of the coordinator; their jobs are theirs")
    parser.add_argument("--tls-cert", metavar="FILE", help="HTTPS with this certificate")
    parser.add_argument("--tls-key", metavar="FILE", help="its key")
    parser.add_argument("--insecure", action="store_true", help="listen beyond loopback without TLS (behind a proxy that has it)")
    parser.add_argument("--file-mib", type=int, default=512, metavar="N", help="largest file (default: 512)")
    parser.add_argument("--total-gib", type=int, default=100, metavar="N", help="of all files (default: 100)")
    return parser


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(parser: argparse.ArgumentParser, text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port[:6]) > 65535:
        parser.error(f"--listen is {text!r} and must be HOST:PORT")
    return host.strip("[]"), int(port)


def _check(parser: argparse.ArgumentParser, args: argparse.Namespace, host: str) -> None:
    if args.api_keys and args.pass_tokens:
        parser.error("--api-keys and --pass-tokens exclude each other")
    if args.pass_tokens and args.token_file:
        parser.error("with --pass-tokens the callers' tokens count, and --token-file has no use")
    if bool(args.tls_cert) != bool(args.tls_key):
        parser.error("--tls-cert and --tls-key belong together")
    if not _is_loopback(host):
        if not args.api_keys and not args.pass_tokens:
            parser.error(f"{host} can be reached from elsewhere: say who may call with --api-keys or --pass-tokens")
        if not args.tls_cert and not args.insecure:
            parser.error(f"{host} can be reached from elsewhere, and keys would travel in the clear: --tls-cert and --tls-key, or --insecure")
    for name in ("file_mib", "total_gib"):
        if not 1 <= getattr(args, name) <= 1 << 20:
            parser.error(f"--{name.replace('_', '-')} must be from 1 to {1 << 20}")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def _write_port_file(path: Path, url: str) -> None:
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.write_text(json.dumps({"http": url}) + "\n", encoding="utf-8")
    os.replace(unfinished, path)


def _serve(args: argparse.Namespace, host: str, port: int) -> None:
    import uvicorn  # with its parts, only to serve

    from ..client import Client
    from .app import Api
    from .callers import AnyCaller, Callers, KeyHolders, TokenHolders
    from .defaults import JobDefaults
    from .files import FileLimits, FileStore
    from .models import ModelTable
    from .service import Service

    models = ModelTable.read(args.models)
    limits = FileLimits(file_bytes=args.file_mib << 20, total_bytes=args.total_gib << 30)
    data = args.data.resolve()
    store = FileStore(data, limits)
    tempfile.tempdir = str(store.incoming)  # uploads are spooled where they will stay
    callers: Callers
    if args.pass_tokens:
        callers = TokenHolders(args.server, args.tls_ca)
    else:
        client = Client(args.server, None, args.token_file, args.tls_ca)
        callers = KeyHolders(client, args.api_keys) if args.api_keys else AnyCaller(client)
    service = Service(store, models, JobDefaults.read(), args.output.resolve() if args.output else data / "outputs")
    api = Api(service, callers, keys=bool(args.api_keys or args.pass_tokens), file_bytes_max=limits.file_bytes)
    listener = _listen(host, port)
    config = uvicorn.Config(api.application(), ssl_certfile=args.tls_cert, ssl_keyfile=args.tls_key, access_log=False, log_config=None,
                            limit_concurrency=256, timeout_graceful_shutdown=30, server_header=False, proxy_headers=False)
    url = f"{'https' if args.tls_cert else 'http'}://{_shown(listener)}/v1"
    if args.port_file:
        listener.listen(config.backlog)  # whoever reads the file may connect
        _write_port_file(args.port_file, url)
    logging.getLogger("fpo.openai").info("listening at %s", url)
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: None)  # uvicorn raises a signal again when it has drained: that is no failure
    uvicorn.Server(config).run(sockets=[listener])
    callers.close()
    store.close()


def _shown(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def main(arguments: Sequence[str] | None = None) -> Any:
    parser = _parser()
    args = parser.parse_args(arguments)
    host, port = _address(parser, args.listen)
    _check(parser, args, host)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO, stream=sys.stderr)
    logging.captureWarnings(True)
    warnings.simplefilter("always", FpoWarning)
    os.umask(0o027)  # workers of the same group may read the files
    try:
        _serve(args, host, port)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("uvicorn", "starlette", "python_multipart", "yaml", "grpc", "google"):
            raise
        sys.exit(f"fpo-openai: {error.name} is not installed: pip install 'fpo[openai]'")
    except FpoError as error:
        sys.exit(f"fpo-openai: {error}")
    except (OSError, ssl.SSLError) as error:
        sys.exit(f"fpo-openai: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
