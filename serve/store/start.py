"""What a server learns from its store before it starts: which model is there, or that there is none.

It runs in the parent of the workers, which stays small and forks: so no numpy, which `strict_json` imports.
"""

import json
import logging
from dataclasses import replace
from pathlib import Path

from serve.errors import SettingsError
from serve.files import read_regular
from serve.settings import Settings

LARGEST_POINTER = 65_536  # bytes
log = logging.getLogger(__name__)


def pointer_paths(folder: Path, alias: str) -> tuple[Path, Path]:
    """Return the file of an alias' pointer in a store, and that of the last pointer whose file was loaded."""
    return folder / f"{alias}.json", folder / f".{alias}.last-good.json"


def name_model(settings: Settings) -> Settings:
    """Return the settings with the name of the model in their store, where no name is given.

    Raises SettingsError if the store holds another model than the given one. A pointer that can't be read is left to
    whoever loads the model.
    """
    path, _ = pointer_paths(settings.store, settings.model_alias)
    try:
        name = json.loads(read_regular(path, LARGEST_POINTER))["name"]
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return settings
    if not isinstance(name, str) or name == settings.model_name:
        return settings
    if settings.is_named:
        raise SettingsError(
            f"SERVE_MODEL_NAME={settings.model_name!r}: the store {settings.store.absolute()} holds the model "
            f"{name!r}, expected the same name in both"
        )
    return replace(settings, model_name=name)


def report_empty_store(settings: Settings) -> None:
    """Log that the store holds no model yet, if so, and what to do."""
    for path in pointer_paths(settings.store, settings.model_alias):
        try:
            path.stat()
        except FileNotFoundError:
            continue
        except OSError:  # whoever can't load the model says why
            return
        return
    empty = f"the store {settings.store.absolute()} holds no model with the alias {settings.model_alias!r} yet"
    if settings.tracking_uri:
        name = f"{settings.model_name}@{settings.model_alias}"
        log.warning("%s; predictions are refused (503) until %s comes from MLflow", empty, name)
    else:
        todo = "promote a version into it, or set MLFLOW_TRACKING_URI to the MLflow whose alias is to be followed"
        log.warning("%s; predictions are refused (503): %s", empty, todo)
