"""The errors of the training side.

LoanApprovalError
├── DataError               a data set, or a table given to a function, that can't be used
├── FactoryError            an unknown factory, or parameters it does not take
├── ParameterError          a notebook parameter that does not exist, has the wrong type or contradicts another
├── NotebookFailedError     a cell raised
├── NotebookTimeoutError    a notebook ran past its time limit
├── ExportError             a pipeline that can't be exported, or an export that decides otherwise
├── TrackingError           an MLflow version, alias or artifact that is not there or not as recorded
├── LogError                a prediction log that can't be read or changed, or that lacks what was asked for
├── SweepError              a sweep that can't run, or trials of it that failed
├── PromotionError          a promotion or rollback that is refused
├── RebuildError            a version that can't be made again
└── BatchError              a batch that can't be read, scored or written, or an output that is another job's
"""


class LoanApprovalError(Exception):
    """Base of every error this package raises on purpose."""


class DataError(LoanApprovalError):
    """The message says what can't be used, where, and what was expected."""


class FactoryError(LoanApprovalError):
    """The message names the factory and what was expected of it."""


class ParameterError(LoanApprovalError):
    """The message names the notebook's parameter."""


class NotebookFailedError(LoanApprovalError):
    """The message names notebook, cell and error."""


class NotebookTimeoutError(LoanApprovalError):
    """The message names notebook, cell and time limit."""


class ExportError(LoanApprovalError):
    """The message says why it can't be exported, or how the export differs."""


class TrackingError(LoanApprovalError):
    """The message names the version, alias, artifact or address."""


class LogError(LoanApprovalError):
    """The message names file and line."""


class SweepError(LoanApprovalError):
    """The message names the trials."""


class PromotionError(LoanApprovalError):
    """The message is the reason."""


class RebuildError(LoanApprovalError):
    """The message names what is missing: changes, commit, data, parameters."""


class BatchError(LoanApprovalError):
    """The message names the file or the shard."""
