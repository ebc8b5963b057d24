import numpy as np
import pytest

from loan_approval.data.salts import EVEN, SALTS, count_labels, evenness, find_salt
from loan_approval.data.splits import SPLITS, assign_splits, identify_rows


def rare(ones: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the identities and labels of 3,000 rows, of which so many have label 1."""
    X = np.random.default_rng(8).random((3000, 3))
    return identify_rows(X), (np.arange(3000) < ones).astype(int)


def test_units_are_counted_once_by_label_and_split():
    identities = identify_rows(np.repeat(np.arange(50.0), 3)[:, None])
    y = np.tile([0, 0, 1], 50)
    counts = count_labels(identities, y, "salt")
    assert list(counts) == list(SPLITS)
    assert np.sum(list(counts.values()), axis=0).tolist() == [50, 50]


def test_a_rare_label_gets_a_salt_that_gives_each_split_its_share():
    identities, y = rare(60)
    uneven = next(f"bad-{n}" for n in range(100) if count_labels(identities, y, f"bad-{n}")["calibrate"][1] <= 7)
    salt = find_salt(identities, y, uneven, EVEN)
    assert salt != uneven
    assert evenness(identities, y, salt) > 0.8 > EVEN > evenness(identities, y, uneven)
    assert [ones for _, ones in count_labels(identities, y, salt).values()] == pytest.approx([36, 12, 12], abs=3)


def test_a_salt_that_splits_evenly_stays():
    identities, y = rare(1500)
    assert find_salt(identities, y, "mine-1", EVEN) == "mine-1"


def test_salts_are_tried_in_a_fixed_order_and_are_few():
    identities, y = rare(60)
    found = find_salt(identities, y, "mine-1")
    assert found == find_salt(identities[::-1], y[::-1], "mine-1")
    assert found in {f"mine-{number}" for number in range(1, SALTS + 1)}


def test_a_salt_gives_each_row_the_same_split_whatever_rows_are_added():
    identities, y = rare(60)
    salt = find_salt(identities[:500], y[:500], "mine-1")
    np.testing.assert_array_equal(assign_splits(identities, salt)[:500], assign_splits(identities[:500], salt))


def test_one_large_unit_counts_by_its_rows():
    X = np.where(np.arange(2000) < 900, 0.0, np.arange(2000.0))[:, None]
    identities, y = identify_rows(X), np.tile([0, 1], 1000)
    salt = find_salt(identities, y, "mine-1", EVEN)
    assert assign_splits(identities[:1], salt).tolist() == ["train"]


def test_a_label_that_nobody_has_is_no_unevenness():
    identities, _ = rare(0)
    assert evenness(identities, np.zeros(3000, dtype=int), "mine-1") > EVEN
