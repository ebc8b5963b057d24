from collections.abc import Callable

import numpy as np
import pytest

from serve.model.scorer import Scorer
from serve.model.single_row import SingleRow


@pytest.mark.parametrize("name", ["loans", "mixed"])
def test_each_row_scores_as_in_a_batch_to_the_last_bit(model_file: Callable[[str], bytes], name):
    scorer = Scorer(model_file(name))
    single = SingleRow(scorer)
    rows = np.tile(scorer.background, (3, 1))  # again, since the memory is shared by all rows
    assert [single.score(row.tobytes()) for row in rows] == scorer.score(rows).tolist()
