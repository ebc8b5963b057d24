import numpy as np
import pytest

from serve.model import trees
from serve.model.scorer import Scorer
from serve.model.tree_tables import TreeTables
from serve.model.trees import read_trees
from tests.encoded_rows import draw_rows

BOOSTED = ["boosted", "boosted_calibrated", "boosted_wide"]


def score(tables, X):
    return tables.score(np.array([tables.split(x[None]).sum(axis=0) for x in X]))


@pytest.mark.parametrize("name", BOOSTED)
def test_scores_are_those_of_the_file_to_the_last_bit(model_file, name):
    scorer = Scorer(model_file(name))
    X = draw_rows(scorer.contract.scored, 3000)
    expected = scorer.score(X)
    assert len(np.unique(expected)) > 1000
    np.testing.assert_array_equal(score(read_trees(scorer), X), expected)


@pytest.mark.parametrize("name", BOOSTED)
def test_a_score_changes_exactly_at_the_edges_of_segments(model_file, name):
    scorer = Scorer(model_file(name))
    tables, features = read_trees(scorer), scorer.contract.scored
    base = draw_rows(features, 20)
    for column, edges in enumerate(tables.edges):
        for edge in edges if not features[column].is_category else []:
            before, at = base.copy(), base.copy()
            before[:, column], at[:, column] = np.nextafter(edge, -np.inf), edge
            np.testing.assert_array_equal(score(tables, before), scorer.score(before))
            np.testing.assert_array_equal(score(tables, at), scorer.score(at))


def test_many_values_have_the_segments_that_one_has(model_file):
    scorer = Scorer(model_file("boosted_wide"))
    tables = read_trees(scorer)
    X = draw_rows(scorer.contract.scored, 50)
    for column, values in enumerate(X.T):
        parts = tables.parts[column][tables.segments(column, values)]
        np.testing.assert_array_equal(parts, [tables.split(x[None])[column] for x in X])


@pytest.mark.parametrize("name", ["loans", "mixed", "boosted_large"])
def test_a_file_of_another_kind_or_size_has_no_trees(model_file, name):
    assert read_trees(Scorer(model_file(name))) is None


def test_trees_that_score_a_row_otherwise_than_the_file_are_not_used(model_file, monkeypatch):
    class OneBitOff(TreeTables):
        def score(self, cells):
            scores = super().score(cells)
            scores[-1] = np.nextafter(scores[-1], np.float32(1))
            return scores

    monkeypatch.setattr(trees, "TreeTables", OneBitOff)
    assert read_trees(Scorer(model_file("boosted"))) is None


def test_a_graph_that_mixes_features_before_its_trees_is_left_to_onnxruntime(model_file):
    scorer = Scorer(model_file("boosted_mixing"))
    assert len(np.unique(scorer.score(draw_rows(scorer.contract.scored, 100)))) > 50
    assert read_trees(scorer) is None
