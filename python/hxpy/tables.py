"""Tables between columns and Python: see tables_in (reading) and tables_out (writing).

Importing this module imports numpy and pandas.
"""

from .tables_in import TableReader

__all__ = ["TableReader"]
