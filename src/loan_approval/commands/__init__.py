"""The commands, a module for each part of the work; a new module is one more name here."""

from loan_approval.commands import data, notebooks, production, score, whole

COMMANDS = (data, notebooks, production, score, whole)
