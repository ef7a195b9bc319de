"""How one outside system does it: ports, one adapter per system, and their memory twins.

Adapters do not know one another. Each turns the foreign errors of its system into ours, once, at its own edge.
"""
