"""The page of memory that supervisor and worker share (docs/protocol.md, "Interrupts")."""

# Words of the shared page.
RUNNING = 0     # request that runs now, 0 for none; the worker writes
TARGET = 1      # request that the last interrupt means; the supervisor writes
FORWARDING = 2  # what the supervisor does with output, see below; the supervisor writes
ENDED = 3       # when the last request ended, ns of the monotonic clock; the worker writes
PRINTED = 4     # OUTPUT frames that the worker has sent; the worker writes
PRELOADING = 5  # 1 while it imports ahead of need, which an interrupt ends; the worker writes
PRINTING = 6    # request whose output counts, also what is left at its end; the worker writes

# Values of FORWARDING, else 0.
PASSING = 1     # it passes on what it has read
HOLDING = 2     # it waits for the rest of a line
