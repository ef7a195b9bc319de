"""``kubectl sklearn``: the daily verbs. Invariant: everything goes through kubectl, with the user's own rights."""
