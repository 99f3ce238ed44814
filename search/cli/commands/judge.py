"""The command ``tuckprune judge``."""

import os
from typing import Annotated, Literal

import typer

from search.cli.console import AsJson, RunPath, console, print_json
from search.environment import import_tensorflow
from search.runs.run_folder import RunFolder
from search.study.conditions import ONEDNN, recorded_conditions
from search.study.identity import study_name
from search.study.storage import find_study


def judge(
    run: RunPath,
    trial: Annotated[int, typer.Option(help="Number of the trial.")],
    stage: Annotated[
        Literal["prune", "decompose"] | None, typer.Option(help="Of a staged search; by default the second.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Judge a recorded trial again, in this process; figures other than those recorded are an error."""
    config = RunFolder(run).config()
    before = recorded_conditions(find_study(run, study_name(config, stage), config.search.storage), trial)
    if before is not None:
        # TensorFlow reads it when it is loaded.
        os.environ[ONEDNN] = before.onednn
    import_tensorflow(config.search.threads_per_worker if before is None else before.threads)
    from search.pipeline.judging import judged_again

    comparison = judged_again(run, trial, stage)
    for line in comparison.lines:
        console(as_json).print(line, highlight=False)
    if as_json:
        print_json(comparison.entry)
    comparison.check()
