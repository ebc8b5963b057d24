from serve.contract.fault import Fault


def test_a_fault_says_its_kind_and_what_was_expected_and_counts_by_its_category():
    assert str(Fault("missing")) == "missing"
    fault = Fault("3 values", "4 as in amount", "uneven")
    assert (str(fault), fault.kind, fault.category) == ("3 values, expected 4 as in amount", "3 values", "uneven")
    assert Fault("missing", "a number").category == "missing"
