"""The kernels' benchmark: medians and ratios of runs side by side, and a training of its own process."""

from scripts.bench.objectives import kernels


def test_medians_of_rounds_and_how_far_apart_the_losses_are(monkeypatch):
    speeds = iter([10.0, 20.0, 12.0, 18.0, 11.0, 33.0, 1.0])

    def trained(onednn, name, source, steps, batch, shift=0.0):
        return {"losses": [2.0, 1.0 + 0.001 * onednn + (shift > 0) * 0.01], "images_per_second": next(speeds)}

    monkeypatch.setattr(kernels, "trained", trained)
    result = kernels.compared("resnet20", "data/few.npz", 2, 8, rounds=3)
    assert result["images_per_processor_second"] == [11.0, 20.0] and result["ratio"] == 2.0
    assert (result["losses_apart"], result["losses_apart_by_rounding"]) == (0.001, 0.01)
    assert result["same_again"] == [True, True] and result["data"] == "few"


def test_steps_after_the_third_are_timed():
    made = kernels.steps_of("digits_resnet", "digits", 4, 4)
    assert len(made["losses"]) == 4 and made["images_per_second"] > 0
