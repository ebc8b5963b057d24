"""The commands, a module for each part of the work; a new module is one more name here."""

from loan_approval.commands import data, monitor, notebooks, production, records, whole

COMMANDS = (data, monitor, notebooks, production, records, whole)
