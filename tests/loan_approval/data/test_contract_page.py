import tomllib

from loan_approval.data.contract_page import draft_top, render

TABLES = {
    "top": draft_top("My Data") | {"comment": "The salt."},
    "split": {"by": "customer", "comment": "A guess."},
    "target": {"name": "granted", "labels": {"1": "Approved", "não": "Denied"}, "question": "Right?"},
    "source": {"encoding": "utf-8", "missing": {"a b": ["NA", '"']}},
    "feature": [{"name": 'x # "y"', "type": "integer", "min": 0.0, "use": "monitor", "comment": "A\nword. " * 30}],
}


def test_the_page_reads_back_as_the_tables_without_their_comments():
    document = tomllib.loads(render("my.csv", "5 rows", ["a note\nfeature = 1"], TABLES))
    assert document["model_name"] == "my_data_model"
    assert document["target"] == TABLES["target"]
    assert document["split"] == {"by": "customer"}
    assert document["source"] == TABLES["source"]
    assert document["feature"] == [{"name": 'x # "y"', "type": "integer", "min": 0, "use": "monitor"}]


def test_a_comment_stands_above_the_line_it_speaks_of_and_no_line_is_longer_than_a_screen():
    lines = render("my.csv", "5 rows", ["a note " * 50], TABLES).splitlines()
    salt = 'split_salt = "my_data-1"'
    for line, above in ('use = "monitor"', "# "), ('by = "customer"', "# A guess."), (salt, "# The salt."):
        assert lines[lines.index(line) - 1].startswith(above)
    assert max(map(len, lines)) <= 120
