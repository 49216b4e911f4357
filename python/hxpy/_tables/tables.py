"""Tables between columns and Python; importing this module imports numpy and pandas.

reader      TableReader: batches of columns → Grid, DataFrame, ndarrays
chunks      chunks, match: any table → chunks of columns
infer       infer, inferred: chunks → the types of a new table
encode      encode_chunk, encode_rows: a chunk → a batch
joined      Joined: small chunks that travel as one
"""

from .chunks import Chunk, chunks, match
from .encode import encode_chunk, encode_rows
from .infer import infer, inferred
from .joined import Joined
from .reader import TableReader

__all__ = ["Chunk", "Joined", "TableReader", "chunks", "encode_chunk", "encode_rows", "infer",
           "inferred", "match"]
