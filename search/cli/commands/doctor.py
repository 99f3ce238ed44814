"""The command ``tuckprune doctor``: whether this machine is fit for searches."""

from dataclasses import asdict

import typer

from search.cli.command import command
from search.cli.console import AsJson, console, print_json
from search.cli.kernels import use_onednn
from search.environment import import_tensorflow


@command(order=125)
def doctor(as_json: AsJson = False) -> None:
    """Check this machine: versions, GPUs, whether TensorFlow computes right, speed, room for workers, ports, disks.

    One line for each, with what to do where something is wrong, which is exit code 1.
    """
    use_onednn()
    import_tensorflow()
    from search.pipeline.machine.examination import examined

    shown, results = console(as_json), []
    for check in examined():
        results.append(check)
        shown.print(
            f"{'ok' if check.ok else 'WRONG':5}  {check.name}: {check.line}", style="green" if check.ok else "red"
        )
        if not check.ok:
            shown.print(f"       {check.advice}")
    if as_json:
        print_json([{**asdict(check), "ok": check.ok} for check in results])
    if not all(check.ok for check in results):
        raise typer.Exit(1)
