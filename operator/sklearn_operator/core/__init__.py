"""What should happen: the pure half of the operator.

Nothing here performs I/O, reads a clock, awaits or logs; everything is a function of its arguments. That is what makes
every decision printable, comparable and testable in milliseconds.
"""
