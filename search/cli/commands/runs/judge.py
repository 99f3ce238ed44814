"""The command ``tuckprune judge``: a recorded trial judged again."""

import os
from pathlib import Path
from typing import Annotated

import typer

from configs.schema.run import Stage
from search.cli.command import command
from search.cli.console import AsJson, RunPath, console, print_json
from search.environment import ONEDNN, import_tensorflow


@command(order=120)
def judge(
    run: RunPath,
    trial: Annotated[int, typer.Option(help="Number of the trial.")],
    stage: Annotated[Stage | None, typer.Option(help="Of a staged search; by default the second.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge a recorded trial again, in this process; figures that differ from the recorded ones are an error."""
    import_tensorflow(_restored_threads(run, trial, stage))
    from search.pipeline.judging import judged_again

    comparison = judged_again(run, trial, stage)
    for line in comparison.lines:
        console(as_json).print(line)
    if as_json:
        print_json(comparison.entry)
    comparison.check()


def _restored_threads(run: Path, trial: int, stage: Stage | None) -> int:
    """The number of threads that the trial was judged with; also sets oneDNN's environment variable as it was then."""
    from search.runs.run_folder import RunFolder
    from search.study.identity import study_name
    from search.study.judgement import recorded_conditions
    from search.study.storage import find_study

    config = RunFolder(run).config()
    before = recorded_conditions(find_study(run, study_name(config, stage), config.search.storage), trial)
    if before is None:
        return config.search.threads_per_worker
    os.environ[ONEDNN] = before.onednn
    return before.threads
