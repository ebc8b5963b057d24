import pytest

from serve.contract.fault import Fault
from serve.contract.target import Target


@pytest.fixture
def target() -> Target:
    return Target("Loan_Approval", "past_decision", "1", {"1": "Approved", "0": "Não Aprovado"})


@pytest.mark.parametrize(("cell", "code"), [("1", 1), ("1.0", 1), (" 0 ", 0), ("0.0", 0)])
def test_a_target_cell_is_a_label(target, cell, code):
    assert target.encode(cell) == code


@pytest.mark.parametrize(("cell", "kind"), [("", "missing"), ("2", "neither label"), ("Approved", "neither label")])
def test_a_target_cell_that_is_no_label_is_a_fault(target, cell, kind):
    with pytest.raises(Fault, match=kind):
        target.encode(cell)


@pytest.mark.parametrize("cell", ["1", "1.0", " 01 ", "yes", "Yes", "YES "])
def test_a_label_is_known_in_any_spelling(cell):
    positive = "1" if cell.strip()[0] in "01" else "yes"
    target = Target("y", "repaid", positive, {positive: "Good", "no" if positive == "yes" else "0": "Bad"})
    assert target.encode(cell) == 1


def test_several_cells_of_one_text_are_one_class():
    labels = {"Fully Paid": "Repaid", "Charged Off": "Defaulted", "Default": "Defaulted", "Settled": "Repaid"}
    target = Target("loan_status", "repaid", "Fully Paid", labels)
    assert [target.encode(cell) for cell in ("Fully Paid", "settled", "Charged Off", " default ")] == [1, 1, 0, 0]
    assert [target.label(code) for code in (1, 0)] == ["Repaid", "Defaulted"]
    with pytest.raises(Fault, match="neither label"):
        target.encode("Current")
