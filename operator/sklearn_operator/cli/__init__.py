"""The command line: ``sklearn-operator``."""
