"""Tables between columns and Python; importing this module imports numpy and pandas.

tables_in       TableReader: batches of columns → Grid, DataFrame, ndarrays
tables_out      chunks, match, infer, inferred: any table → chunks of columns
tables_encode   encode_chunk, encode_rows: a chunk → a batch
"""

from .tables_encode import encode_chunk, encode_rows
from .tables_in import TableReader
from .tables_out import Chunk, chunks, infer, inferred, match

__all__ = ["Chunk", "TableReader", "chunks", "encode_chunk", "encode_rows", "infer", "inferred",
           "match"]
