import json

import keras
from keras import layers

from scripts.bench.compress.zoo import JSON_FILE, TABLE_FILE, WELL, Row, measure, randomized, table
from scripts.bench.compress.zoo_models import PACKAGES
from tests.compress.fixtures.composites import Stage
from tests.compress.fixtures.models import conv


def test_a_model_with_a_layer_that_stays_whole():
    inputs = keras.Input((8, 8, 3))
    x = layers.LayerNormalization(name="norm")(conv(Stage(6, name="stage")(inputs), "before", 4))
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    row = measure("own", "small", randomized(model))
    # Whole are the bias of `before`, both weights of the normalization, and the head, which reads its channels.
    assert row.prunable == round(1 - (4 + 2 * 4 + 4 * 2 + 2) / model.count_params(), 4)
    assert 0 < row.flops_after < row.flops_before and row.max_rel_error < 1e-5
    assert row.left.startswith("'norm' (LayerNormalization) normalizes across channels") and row.left.endswith("(1)")


def test_the_committed_figures():
    rows = [Row(**row) for row in json.loads(JSON_FILE.read_text(encoding="utf-8"))]
    assert [(row.package, row.model) for row in rows] == [
        (package, name) for package, models in PACKAGES.items() for name in models
    ]
    assert sum(row.prunable >= WELL for row in rows) >= 0.85 * len(rows)
    for row in rows:
        assert 0 <= row.max_rel_error <= 1e-4 and row.flops_after <= row.flops_before
        assert row.prunable >= WELL or row.left
    assert TABLE_FILE.read_text(encoding="utf-8") == table(rows)
