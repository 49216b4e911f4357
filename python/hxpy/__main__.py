"""`python3 -m hxpy`: process 1 of a session's container."""

from .supervisor import main

main()
