"""The errors of the serving side.

ServeError
├── SettingsError          an environment variable that can't be used
├── ContractError          a contract that is not well formed
├── ApplicationError       an application that breaks the contract: every problem at once
├── JSONError              a body that is not strict, unambiguous JSON
├── RequestError           JSON that is not a request of the protocol it was sent to
├── ModelFileError         a model file that can't be trusted
├── RegistryError          a registry that can't be reached, or whose version can't be used
└── StoreError             a store or pointer that can't be read or written
    ├── StoreBusyError     another process is changing it
    └── SignatureError     a file that is not signed with the expected key

No web framework here: `api.faults` alone maps these to a status.
"""

from collections.abc import Mapping


class ServeError(Exception):
    """Base of every error this package raises on purpose."""


class SettingsError(ServeError):
    """A setting has no usable value."""


class ContractError(ServeError):
    """A contract is not well formed; `problems` names each fault."""

    def __init__(self, where: str, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(f"{where}: " + "; ".join(problems))


class ApplicationError(ServeError):
    """An application breaks the contract; `fields` maps a field to what was expected, never to its value.

    `faults` counts all faults by the contract's field and their kind; it holds no text of the caller.
    """

    def __init__(self, fields: Mapping[str, str], faults: Mapping[tuple[str, str], int] | None = None) -> None:
        self.fields, self.faults = dict(fields), dict({("", "shape"): 1} if faults is None else faults)
        super().__init__("the application breaks the contract: " + ", ".join(self.fields))


class JSONError(ServeError):
    """A body is not JSON, or is JSON that two readers could understand differently."""


class RequestError(ServeError):
    """JSON that is not a request of the protocol; the message names the path and what was expected, never the value."""


class ModelFileError(ServeError):
    """A model file is refused; the message is the reason."""


class StoreError(ServeError):
    """The store or its pointer can't be read or written."""


class StoreBusyError(StoreError):
    """Another process is changing the store just now."""


class SignatureError(StoreError):
    """A file is not signed with the expected key; its signature may still arrive or be corrected."""


class RegistryError(ServeError):
    """The registry can't be reached, or its version can't be used; `kind` is one word for why."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)
