"""How fast, how many writes, how big: measured on a sandbox of its own, shown beside the goals. Never a test."""
