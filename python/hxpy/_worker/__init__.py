"""What runs in a session's container: process 1 and the user's Python.  From the ground up:

protocol    frames and the connection that carries them
endpoint    where the server is, by tcp in a session with a network
process     signals and descriptors of processes
session     the user's namespace; errors as texts
imports     imports that an interrupt meets
output      what Python prints, logs and tells of its progress
worker      instructions and their answers
supervisor  what process 1 does for a session
container   process 1 at its start
siblings    what parts the workers of a container that sessions share
parent      the process that these are forked from
shared      process 1 there
"""
