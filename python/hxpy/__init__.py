"""hxpy: Python sessions for PostgreSQL, on the container's side."""

__all__: list[str] = []
