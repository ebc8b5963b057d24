"""`python -m loan_approval`."""

from loan_approval.cli import main

main()
