"""The fault of a value, a row or a column that breaks the contract."""


class Fault(ValueError):
    """A value breaks the contract: `kind` names the fault, `expected` a right value.

    category: the name to count the fault by, one of few whatever the value; `kind` if not given.
    """

    def __init__(self, kind: str, expected: str = "", category: str = "") -> None:
        self.kind, self.expected, self.category = kind, expected, category or kind
        super().__init__(f"{kind}, expected {expected}" if expected else kind)
