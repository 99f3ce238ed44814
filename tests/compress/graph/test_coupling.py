import numpy as np

from compress.graph.coupling import Coupling


def test_what_is_unified_becomes_one_slot():
    coupling = Coupling()
    first, second, third = (coupling.fresh(3) for _ in range(3))
    coupling.unify(first, second)
    coupling.unify(second[:2], third[1:])
    labels = coupling.labels()
    np.testing.assert_array_equal(labels[second], labels[first])
    np.testing.assert_array_equal(labels[third[1:]], labels[first[:2]])
    assert np.unique(labels).tolist() == [0, 1, 2, 3]


def test_rows_are_coupled_column_by_column():
    coupling = Coupling()
    labels = coupling.fresh(12)
    np.testing.assert_array_equal(coupling.couple(labels.reshape(3, 4)), labels[:4])
    np.testing.assert_array_equal(coupling.labels()[labels], np.tile(np.arange(4), 3))


def test_the_first_reason_stays():
    coupling = Coupling()
    labels = coupling.fresh(3)
    coupling.freeze(labels[:2], "first")
    coupling.freeze(labels[[1, 2, 2]], "second")
    fixed = coupling.fixed(1, "third")
    assert coupling.frozen() == {0: "first", 1: "first", 2: "second", int(fixed[0]): "third"}
