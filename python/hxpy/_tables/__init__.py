"""Values and tables ↔ columns of the wire.  From the ground up:

wire        tags, columns in a batch's bytes
scalars     one value → what a column holds
arrays      a whole ndarray → a column
conversion  columns ↔ lists of values
pace        items of an iterator in lists, soon after they have come
tables      whole tables, by chunks, infer, encode and reader; these import pandas
"""
