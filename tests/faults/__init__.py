"""Faults for tests: a proxy that sees every write of the operator and can kill it at any of them."""
