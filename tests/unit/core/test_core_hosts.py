"""Which addresses the settings allow: property by property, because a slip here opens the inside of the cluster."""

from __future__ import annotations

import pydantic
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sklearn_operator.runtime import settings
from sklearn_steps import hosts

HOSTS = {"data.example.org", "files.example.org:8443", "127.0.0.1:9000", "[::1]"}


@given(st.text(max_size=40))
@example("data.example.org@evil.org")
@example("data.example.org.evil.org")
@example("evil.org#data.example.org")
@example("evil.org\\@data.example.org")
@example("evil.org?data.example.org")
@example("data.example.org:8080")
@example("files.example.org")
@example("[::1")
@example("2130706433")
def test_only_what_is_listed_is_allowed(authority: str) -> None:
    uri = f"http://{authority}/k.csv"
    if hosts.allowed(uri, HOSTS):
        assert hosts.named(uri) in {"data.example.org", "files.example.org", "127.0.0.1", "::1"}
        assert "@" not in authority.partition("/")[0]


@pytest.mark.parametrize(
    "uri, allowed",
    [
        ("https://data.example.org/k.csv", True),
        ("http://DATA.Example.ORG:80/k.csv", True),
        ("https://data.example.org:443/k.csv", True),
        ("https://data.example.org:444/k.csv", False),
        ("https://files.example.org:8443/k.csv", True),
        ("https://files.example.org/k.csv", False),
        ("http://127.0.0.1:9000/k.csv", True),
        ("http://[::1]/k.csv", True),
        ("ftp://data.example.org/k.csv", False),
        ("file:///data.example.org", False),
        ("https://user:pw@data.example.org/k.csv", False),
    ],
)
def test_a_host_means_its_usual_ports(uri: str, allowed: bool) -> None:
    assert hosts.allowed(uri, HOSTS) == allowed


@pytest.mark.parametrize("text", ["https://data.example.org", "a/b", "*", "*.example.org", "a b", "a@b", "h:x", "?"])
def test_a_wrong_setting_is_said_at_start(text: str) -> None:
    with pytest.raises(pydantic.ValidationError) as refused:
        settings.OperatorSettings(data_hosts=text)
    assert "SKLEARN_OPERATOR_DATA_HOSTS: Value error, must be host names" in settings.describe(refused.value)


def test_the_setting_is_a_list() -> None:
    found = settings.OperatorSettings(data_hosts="Data.example.org, b:8443,").for_core()
    assert found.data_hosts == {"data.example.org", "b:8443"}
    assert settings.OperatorSettings().for_core().data_hosts == frozenset()
