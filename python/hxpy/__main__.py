"""`python3 -m hxpy`: process 1 of a session's container."""

from ._worker.container import main

main()
