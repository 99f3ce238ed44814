"""The command ``tuckprune train``: the model of a configuration that names one of the zoo."""

from configs.load import load_config
from search.cli.command import command
from search.cli.console import AsJson, ConfigPath, Overrides, arguments, console, print_json, resumable
from search.cli.kernels import choose_kernels
from search.environment import import_tensorflow


@command(order=10)
def train(config: ConfigPath, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Train the configuration's zoo model, ready to be searched; a model that is there already is kept."""
    loaded = load_config(config, overrides or ())
    shown = console(as_json)
    choose_kernels(shown.print, loaded.training)
    import_tensorflow()
    from search.pipeline.training import train_model
    from search.runs.run_folder import RunFolder

    path = RunFolder.of(loaded).trained_model
    shown.print(f"{path} is there already" if path.exists() else f"training {loaded.model.zoo} on {loaded.source}")
    with resumable(shown, "train"):
        result = train_model(loaded, shown.print)
    shown.print(
        f"{path}: test {result.text}, {(result.flops or 0) / 1e6:.2f} MFLOPs, "
        f"{result.params / 1e6:.3f} M parameters\nnext: tuckprune search {arguments(config, overrides)}",
        highlight=False,
    )
    if as_json:
        print_json({"path": str(path), **result.stored()})
