"""`chartgen serve`."""

from __future__ import annotations

import click

from chartgen.cli.console import Console
from chartgen.cli.exit_codes import DONE
from chartgen.cli.options import command

# Any address of the machine, of IPv4 and IPv6 (RFC 1122 §3.2.1.3, RFC 4291 §2.5.2).
_ALL_ADDRESSES = frozenset({"0.0.0.0", "::"})  # compared, not listened on


@command("serve", json=False)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--released", is_flag=True, help="Only what is published, not the specs of today.")
def serve(console: Console, host: str, port: int, released: bool) -> int:
    """Serve the market on this machine.

    Shows the specs as a publish would release them, and follows every change of them. With
    --released exactly what is published, for hosting at home.
    """
    from chartgen.cli.clock import release_date
    from chartgen.market.preview import LiveSite
    from chartgen.market.serve import open_socket
    from chartgen.market.serve import serve as run

    host = host.removeprefix("[").removesuffix("]")
    # First of all, so that a port in use is said at once.
    with open_socket(host, port) as listener:
        site = LiveSite(
            console.settings.folder,
            date=release_date,
            on_change=console.note,
            released_only=released,
        )
        shown = f"[{host}]" if ":" in host else host
        # The address is what a script waits for, so it is data.
        console.data(f"http://{shown}:{listener.getsockname()[1]}\n")
        if host in _ALL_ADDRESSES:
            console.note("Other machines reach it under the name or the address of this one.")
        if not released:
            console.note("Shows the specs of today; with --released only what is published.")
        console.note("Stop with Ctrl-C.")
        run(site, listener)
    return DONE
