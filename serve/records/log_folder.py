"""The folder of the prediction log as the server finds it at its start, and the secret that it keeps."""

import logging
from pathlib import Path
from tempfile import TemporaryFile

from serve.errors import SettingsError
from serve.records.applicant import make_secret, read_secret
from serve.records.log_file import make_private_folder
from serve.settings import Settings

log = logging.getLogger(__name__)


def load_secret(folder: Path, file: Path | None) -> bytes:
    """Return the secret that applicants' keys are hashed with: that of a file, else the one in the log's own folder,
    made at need. Raises OSError, SettingsError.
    """
    return read_secret(file) if file else make_secret(folder)


def check_log_folder(settings: Settings) -> None:
    """Try the log's folder and its secret before anything is answered. Raises SettingsError.

    In mode `drop` a folder that can't be written is an error in the service's own log, and no more.
    """
    folder, file = settings.prediction_log, settings.applicant_secret_file
    if file:
        try:
            read_secret(file)
        except OSError as err:
            raise SettingsError(f"SERVE_APPLICANT_SECRET_FILE: can't be read: {err.strerror}") from err
    if folder is None:
        return
    try:
        make_private_folder(folder)
        with TemporaryFile(dir=folder) as trial:
            trial.write(b"\n")
        load_secret(folder, file)
    except OSError as err:
        fault = f"SERVE_PREDICTION_LOG={str(folder)!r}: can't be written: {err.strerror}"
        if settings.prediction_log_mode == "required":
            raise SettingsError(fault) from err
        log.error("%s; until it can, decisions go unrecorded", fault)
