import numpy as np

from compress.graph.channel_labels import SlotSpace


def test_what_is_unified_becomes_one_slot():
    space = SlotSpace()
    first, second, third = (space.fresh(3) for _ in range(3))
    space.unify(first, second)
    space.unify(second[:2], third[1:])
    slots = space.slots()
    np.testing.assert_array_equal(slots[second], slots[first])
    np.testing.assert_array_equal(slots[third[1:]], slots[first[:2]])
    assert np.unique(slots).tolist() == [0, 1, 2, 3]


def test_rows_are_coupled_column_by_column():
    space = SlotSpace()
    labels = space.fresh(12)
    np.testing.assert_array_equal(space.couple(labels.reshape(3, 4)), labels[:4])
    np.testing.assert_array_equal(space.slots()[labels], np.tile(np.arange(4), 3))


def test_the_first_reason_stays():
    space = SlotSpace()
    labels = space.fresh(3)
    space.freeze(labels[:2], "first")
    space.freeze(labels[[1, 2, 2]], "second")
    fixed = space.fixed(1, "third")
    assert space.frozen() == {0: "first", 1: "first", 2: "second", int(fixed[0]): "third"}
