"""`codec-server`: shows Temporal's Web UI and command line what is encrypted."""

from typing import Annotated

import typer


def codec_server(
    ui_origin: Annotated[
        list[str],
        typer.Option(
            "--ui-origin", metavar="URL", help="Where the Web UI is, as in its address bar; may be given repeatedly."
        ),
    ],
    address: Annotated[
        str, typer.Option("--address", metavar="HOST:PORT", help="Where to listen; port 0: any free one.")
    ] = "127.0.0.1:8081",
    tls_cert: Annotated[
        str | None, typer.Option("--tls-cert", metavar="FILE", help="Certificate (PEM), to be served by https.")
    ] = None,
    tls_key: Annotated[str | None, typer.Option("--tls-key", metavar="FILE", help="Its key (PEM).")] = None,
) -> None:
    """Decode payloads for Temporal's Web UI and command line, until Ctrl-C.

    Needs ORCH_CODEC_TOKEN, which whoever asks must show, and the keys in ORCH_ENCRYPTION_KEYS. Example:
    orch-cli codec-server --ui-origin http://localhost:8233
    """
    from cli.decoding import serve_codec

    raise typer.Exit(serve_codec(ui_origin, address, tls_cert, tls_key))
