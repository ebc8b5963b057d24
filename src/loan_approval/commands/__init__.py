"""The commands, a module for each part of the work; `COMMANDS` lists the modules."""

from loan_approval.commands import data, notebooks, production, records, score

COMMANDS = (data, notebooks, production, records, score)
