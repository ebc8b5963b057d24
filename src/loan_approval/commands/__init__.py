"""The commands, a module for each part of the work; a new module is one more name here."""

from loan_approval.commands import capacity, check, data, monitor, notebooks, production, records, versions, whole

COMMANDS = (data, notebooks, production, records, whole, versions, check, monitor, capacity)
