"""How the documentation is made: the site, its generated pages, and the recorded session.

Invariant: nothing of the product imports it, and what it writes into docs/ follows from the sources alone.
"""
