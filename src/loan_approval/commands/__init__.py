"""The commands, a module for each part of the work; `COMMANDS` lists the modules."""

from loan_approval.commands import data, monitor, notebooks, production, records, score, sweep

COMMANDS = (data, notebooks, sweep, production, records, monitor, score)
