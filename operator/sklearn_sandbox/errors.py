"""The one exception of the sandbox, whose text is written for the person at the terminal.

SandboxError            something could not be built, started or reached
└── ComponentFailed     one process ended or did not become ready; carries the end of its log
"""

from __future__ import annotations


class SandboxError(Exception):
    """Says what happened, to what, and what to do."""


class ComponentFailed(SandboxError):
    def __init__(self, name: str, what: str, log_tail: str) -> None:
        ending = f"the end of its log:\n{log_tail}" if log_tail else "its log is empty"
        super().__init__(f"{name} {what}; {ending}")
        self.name = name
