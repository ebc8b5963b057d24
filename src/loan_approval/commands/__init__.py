"""The commands, a module for each part of the work; a new module is one more name here."""

from loan_approval.commands import check, data, notebooks, production, whole

COMMANDS = (data, check, notebooks, production, whole)
