"""The commands, a module for each part of the work; a new module is one more name here."""

from loan_approval.commands import capacity, data, notebooks, production, whole

COMMANDS = (data, notebooks, production, whole, capacity)
