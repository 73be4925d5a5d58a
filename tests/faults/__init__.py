"""Faults of real machines, and what a server on them has promised.

clock.py    a clock that can be set for some processes
disk.py     a disk that keeps only what was flushed, for a power cut anywhere
loop.py     a file system on a loop device, for a power cut as root
server.py   a server without a model, in a process of its own
client.py   people who work on it, and note each answer
promises.py checks that a data folder holds everything that was answered
power.py    the power cut on a loop device: `python -m tests.faults.power`
machine.py  a server with all its processes, a disk and a clock of its own
strikes.py  what can happen to that machine
person.py   people who keep working through it
storm.py    all of this together: `make test-faults`
"""
