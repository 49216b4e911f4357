"""plpy: what functions of the language hxpy talk to the server with."""
