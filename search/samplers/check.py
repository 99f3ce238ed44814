"""A check, before any trial runs, that a sampler can make a proposal after some made-up trials."""

import optuna
from optuna.study import StudyDirection

from compress.errors import ConfigError, typed_line
from search.samplers.registry import samplers
from search.samplers.sampler import Options, SamplerContext
from search.space.projection import Projection
from search.space.space import PREFERENCE, suggested
from search.study.judgement import Judgement, Rung, keep_rung
from search.study.trial_record import ALLOWED, describe, finish
from zoo.tasks.metric import Score

_TRIALS = 12
"""Made-up trials: more than the random ones that samplers begin with."""


def check_sampler(name: str, options: Options, context: SamplerContext, front: bool = False) -> None:
    """Let a sampler make one proposal in the space of the run, after made-up trials.

    Args:
        name: of the sampler.
        options: its arguments.
        context: what it is made for.
        front: whether trials have a second objective, as those of a front.

    Raises:
        ConfigError: an unknown name, a missing package, options that the sampler refuses, or an error that it raises.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = _made_up(context, front)
    try:
        study.sampler = samplers(name, options, context)(_TRIALS)
        trial = study.ask()
        suggested(trial, context.space.dimensions)
        study.tell(trial, [0.0] * len(study.directions))
    except ConfigError:
        raise
    except Exception as error:  # Samplers refuse options, and spaces, by errors of many types.
        raise ConfigError(
            f"search.sampler: expected {name} with options {dict(options)} to propose values of "
            f"{len(context.space.dimensions)} dimensions, received {typed_line(error)}; "
            "change search.sampler"
        ) from error


def _made_up(context: SamplerContext, front: bool) -> optuna.Study:
    """A study of random trials, whose score is the mean of their preferences."""
    directions = [StudyDirection.MAXIMIZE, *([StudyDirection.MINIMIZE] if front else [])]
    study = optuna.create_study(directions=directions, sampler=optuna.samplers.RandomSampler(context.seed))
    space, project = context.space, Projection(context.space, context.budget)
    for _ in range(_TRIALS):
        trial = study.ask(dict.fromkeys(space.dimensions, PREFERENCE))
        candidate = project(space.row(trial.params))
        describe(trial, candidate.parameters, candidate.cost, None)
        if front:
            trial.set_user_attr(ALLOWED, 1.0)
        share = sum(trial.params.values()) / len(space.dimensions)
        score = Score({"accuracy": share, "loss": 1.0})
        keep_rung(trial, Rung(0, score, share))
        finish(study, trial, Judgement(score, 0.0))
    return study
