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
├── BatchError              a batch that can't be read, scored or written, or an output that is another job's
├── SweepError              a sweep that can't run, or trials of it that failed
└── PromotionError          a promotion or rollback that is refused
"""


class LoanApprovalError(Exception):
    """Base of every error this package raises on purpose."""


class DataError(LoanApprovalError):
    """The data can't be used; the message says what, where and what was expected."""


class FactoryError(LoanApprovalError):
    """No factory of that name, or parameters it does not take."""


class ParameterError(LoanApprovalError):
    """A notebook parameter does not exist, has the wrong type or contradicts another."""


class NotebookFailedError(LoanApprovalError):
    """A notebook's cell raised; the message names notebook, cell and error."""


class NotebookTimeoutError(LoanApprovalError):
    """A notebook ran past its time limit and was ended."""


class ExportError(LoanApprovalError):
    """A pipeline can't be exported faithfully."""


class TrackingError(LoanApprovalError):
    """MLflow does not have what was asked for, or has something else than was recorded."""


class LogError(LoanApprovalError):
    """The prediction log can't be read or changed, or lacks what was asked for; the message names file and line."""


class SweepError(LoanApprovalError):
    """A sweep can't run, or some of its trials failed; the message names them."""


class PromotionError(LoanApprovalError):
    """A promotion or rollback is refused; the message is the reason."""


class RebuildError(LoanApprovalError):
    """A version can't be made again; the message names what is missing: changes, commit, data, parameters."""


class BatchError(LoanApprovalError):
    """A batch can't be read, scored or written; the message names the file or the shard."""
