"""`python -m serve.registry`: follow the alias without serving."""

from serve.registry.watcher import main

main()
