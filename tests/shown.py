"""What a call of `show` displays, outside of a notebook."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from loan_approval.notebooks import show


def bundle_of(shower: Callable[..., None], *arguments: Any, **options: Any) -> dict[str, Any]:
    """Return the last data, by their type, that the call displays."""
    with patch.object(show, "display") as display:
        shower(*arguments, **options)
    return display.call_args.args[0]
