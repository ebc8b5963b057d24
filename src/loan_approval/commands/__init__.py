"""The commands, a module for each part of the work; a new module is one more name here."""

from loan_approval.commands import (
    check,
    data,
    monitor,
    notebooks,
    production,
    records,
    score,
    shadow,
    sweep,
    versions,
    whole,
)

COMMANDS = (data, versions, check, notebooks, sweep, production, shadow, records, monitor, score, whole)
