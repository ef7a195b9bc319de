"""Where binaries are looked for, what the cache is keyed by, and that a failed build leaves nothing under a name."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from sklearn_sandbox import assets, errors, gobuild, paths, progress

ETCD, APISERVER = assets.PROGRAMS[:2]
FAKE_GO = """#!/bin/sh
case "$1" in
    list) echo one; echo two; exit 0 ;;
    build) echo one >&2; echo two >&2; while [ "$1" != -o ]; do shift; done ;;
esac
[ -e "$FAKE_GO_FAILS" ] && { echo 'no space left' >&2; exit 1; }
echo binary > "$2/kube-apiserver"
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKLEARN_OPERATOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path / "cache"


def executable(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_kubebuilder_assets_come_first_then_the_cache(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert assets.found(ETCD) is None
    cached = executable(assets.cached(ETCD))
    assert assets.found(ETCD) == cached
    given = executable(tmp_path / "given" / "etcd")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(given.parent))
    assert assets.found(ETCD) == given
    assert assets.found(APISERVER) is None


def test_the_cache_is_keyed_by_version_and_pins(cache: Path) -> None:
    name = assets.cached(APISERVER).parent.name
    assert name.startswith(f"kubernetes-{assets.version(APISERVER)}-")
    assert assets.version(APISERVER) == "v1.36.3"
    assert assets.version(ETCD).startswith("v3.6.")


@pytest.mark.parametrize(
    ("text", "real"),
    [("v1.36.3", True), ("v1.30.0+k3s1", True), ("v1.29.9", False), ("v1.32.4-dispatcher", False), ("", False)],
)
def test_a_wrapped_or_old_kubectl_is_not_taken(text: str, real: bool) -> None:
    assert assets.is_real(text) is real


def test_a_program_of_our_own_is_built_anew_when_its_source_changes(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    promcheck = next(tool for tool in assets.TOOLS if tool.name == "promcheck")
    before = assets.cached(promcheck)
    shutil.copytree(paths.go_modules() / promcheck.folder, tmp_path / promcheck.folder)
    monkeypatch.setattr(paths, "go_modules", lambda: tmp_path)
    assert assets.cached(promcheck) == before
    with (tmp_path / promcheck.folder / "main.go").open("a") as source:
        source.write("// changed\n")
    assert assets.cached(promcheck) != before


def test_a_build_tells_how_far_it_is_and_moves_into_place_at_the_end(tmp_path: Path) -> None:
    tools = gobuild.Toolchain(str(executable(tmp_path / "go", FAKE_GO)), {**os.environ, "FAKE_GO_FAILS": "/nowhere"})
    said: list[tuple[str, int | None, int | None]] = []
    final = tmp_path / "out" / "kube-apiserver"
    gobuild.build(tools, tmp_path, {APISERVER.package: final}, [], lambda *news: said.append(news))
    assert final.read_text() == "binary\n"
    assert said[-1] == ("compiling", 2, 2)
    assert list(final.parent.iterdir()) == [final]


def test_a_failed_build_leaves_nothing_and_says_what_go_said(tmp_path: Path) -> None:
    tools = gobuild.Toolchain(str(executable(tmp_path / "go", FAKE_GO)), {**os.environ, "FAKE_GO_FAILS": str(tmp_path)})
    final = tmp_path / "out" / "kube-apiserver"
    with pytest.raises(errors.SandboxError, match="no space left"):
        gobuild.build(tools, tmp_path, {APISERVER.package: final}, [], lambda *_: None)
    assert list(final.parent.iterdir()) == []


def test_the_output_of_a_versioned_module_has_the_name_before_it() -> None:
    assert gobuild.output_name("go.etcd.io/etcd/server/v3") == "server"
    assert gobuild.output_name("github.com/minio/minio") == "minio"


def test_folders_follow_the_environment() -> None:
    assert paths.cache_folder({"SKLEARN_OPERATOR_CACHE": "/c"}) == Path("/c")
    assert paths.state_folder({"SKLEARN_SANDBOX_HOME": "/s"}) == Path("/s")
    assert paths.state_folder({}).parts[-3:] == ("state", "sklearn-operator", "sandbox")


def test_the_sandboxs_own_link_is_not_linked_to(tmp_path: Path) -> None:
    """People put the sandbox's bin folder first on their PATH, as `up` tells them, and run `up` again."""
    real, own, other = tmp_path / "real" / "kubectl", tmp_path / "bin" / "kubectl", tmp_path / "kubectl"
    for path in (real, own):
        path.parent.mkdir()
    real.write_text("")
    own.symlink_to(real)
    other.symlink_to(tmp_path / "k3s")
    assert assets.behind_links(own) == assets.behind_links(real) == real
    assert assets.behind_links(other) == other


def test_what_only_tests_use_is_found_like_the_rest_and_a_word_of_nobody_is_refused(cache: Path) -> None:
    helm = next(tool for tool in assets.TOOLS if tool.name == "helm")
    built = executable(assets.cached(helm))
    assert built.parent.name.startswith("helm-v4.")
    assert assets.ensure({"helm"}, progress.Silent()) == {"helm": built}
    with pytest.raises(errors.SandboxError, match="there is no program helmet"):
        assets.ensure({"helm", "helmet"}, progress.Silent())
