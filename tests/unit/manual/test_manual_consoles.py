"""The runner of pages: what it takes for the same, and what not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from manual import consoles

PAGE = """# A page

```yaml
# folder/model.yaml
name: digits
```

```yaml
not: a file
```

```console
$ cat folder/model.yaml
# folder/model.yaml
name: digits
$ printf 'one\\n%s\\n' \\
> two
one
...
```
"""


def test_files_are_written_and_commands_are_run_in_their_order(tmp_path: Path) -> None:
    found = list(consoles.parts(PAGE))
    assert [type(part).__name__ for part in found] == ["Given", "Typed", "Typed"]
    assert consoles.run(PAGE, tmp_path, os.environ) is None


def test_what_is_not_as_shown_is_told_with_its_line(tmp_path: Path) -> None:
    wrong = consoles.run("# A page\n\n```console\n$ echo two\none\n```\n", tmp_path, os.environ)
    assert wrong is not None and (wrong.typed.line, wrong.status, wrong.printed) == (4, 0, "two\n")
    failed = consoles.run("```console\n$ false\n```\n", tmp_path, os.environ)
    assert failed is not None and failed.status == 1


@pytest.mark.parametrize(
    ("shown", "printed", "is_same"),
    [
        ("digits   Ready   1m5s", "digits  Ready  12s", True),
        ("http://127.0.0.1:22396/v2", "http://127.0.0.1:1/v2", True),
        ("models/default/digits/v1-3f2a9c1d/", "models/default/digits/v1-00000000/", True),
        ("digits   Ready", "digits  Failed", False),
        ("accuracy=0.969", "accuracy=0.968", False),
        ("{...}", "{anything}", True),
        ("one\n...\nthree", "one\ntwo\ntwo\nthree", True),
        ("one\n...\nthree", "one\nthree", True),
        ("one", "one\ntwo", False),
        ("one\ntwo", "one", False),
        ("a.c", "abc", False),
    ],
)
def test_only_what_differs_from_run_to_run_may_differ(shown: str, printed: str, is_same: bool) -> None:
    assert consoles.same(shown.splitlines(), printed.splitlines()) is is_same
