from loan_approval import errors
from tests.error_trees import class_tree, drawn_tree


def test_the_drawn_tree_is_that_of_the_classes() -> None:
    assert drawn_tree(errors) == class_tree(errors)
