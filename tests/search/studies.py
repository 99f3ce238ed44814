"""Small studies for the tests of where they are kept."""


def run(study, count):
    """So many trials of one parameter."""
    for _ in range(count):
        trial = study.ask()
        study.tell(trial, trial.suggest_float("x", 0, 1))


def trials(study):
    """What is compared of them."""
    return [(trial.number, trial.state, trial.params, trial.values) for trial in study.trials]
