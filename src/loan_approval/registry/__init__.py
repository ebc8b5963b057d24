"""MLflow and the model registry: runs, versions, aliases, promotions.

In: trained files, verdicts, a person's promotion. Out: recorded versions with their card and signature, the
alias moved, the file in the server's store.
"""
