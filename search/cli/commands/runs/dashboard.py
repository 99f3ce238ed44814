"""The command ``tuckprune dashboard``: optuna-dashboard on a run."""

from contextlib import suppress
from typing import Annotated

import typer

from search.cli.command import command
from search.cli.console import RunPath, console


@command(order=110)
def dashboard(
    run: RunPath,
    port: Annotated[int, typer.Option(min=0, max=65535, help="To listen on, on this machine only; 0 for any.")] = 8080,
) -> None:
    """Open optuna-dashboard on a run, also while it is searched; Ctrl-C ends it. To read only, on 127.0.0.1."""
    from search.runs import dashboard

    with dashboard.dashboard(run, port) as server, suppress(KeyboardInterrupt):
        console(False).print(f"{server.address} shows '{run}'; Ctrl-C ends it")
        server.serve_forever()
