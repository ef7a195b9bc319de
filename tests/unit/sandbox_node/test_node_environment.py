"""What a manifest's words become on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from sklearn_sandbox import images
from sklearn_sandbox.node import addresses, downward, environment, lookup, quantities, volumes

MOUNTS = {"/mnt/models": Path("/s/models"), "/mnt": Path("/s/mnt"), "/etc/x.yaml": Path("/s/x/x.yaml")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/mnt/models", "/s/models"),
        ("--model_dir=/mnt/models", "--model_dir=/s/models"),
        ("/mnt/models/a/b", "/s/models/a/b"),
        ("/mnt/other", "/s/mnt/other"),
        ("/mnt:/mnt/models:/usr", "/s/mnt:/s/models:/usr"),
        ("cat /mnt/models/a > '/mnt/b'", "cat /s/models/a > '/s/mnt/b'"),
        ("file:///mnt/models/a", "file:///s/models/a"),
        ("s3://bucket/mnt/models", "s3://bucket/mnt/models"),
        ("http://host:80/mnt/models", "http://host:80/mnt/models"),
        ("/mnt/models2", "/s/mnt/models2"),
        ("/mntx", "/mntx"),
        ("/var/mnt", "/var/mnt"),
        ("--config=/etc/x.yaml", "--config=/s/x/x.yaml"),
        ("/etc/x.yaml.bak", "/etc/x.yaml.bak"),
    ],
)
def test_mount_paths_become_folders_where_a_path_begins(text: str, expected: str) -> None:
    assert environment.substitute(text, MOUNTS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B)", "x1y2"),
        ("$(NO)", "$(NO)"),
        ("$$(A)", "$(A)"),
        ("$A ${A}", "$A ${A}"),
        ("$$$(A)", "$1"),
    ],
)
def test_references_are_expanded_as_kubernetes_does(text: str, expected: str) -> None:
    assert environment.expand(text, {"A": "1", "B": "2"}) == expected


def test_variables_come_in_order_and_only_written_values_refer_to_others() -> None:
    single = [("A", "x$(BASE)", True), ("B", "$(A)/$(LATER)", True), ("C", "$(A)", False), ("LATER", "1", True)]
    found = environment.combine({"BASE": "/mnt"}, [{"BULK": "/mnt/models", "A": "hidden"}], single, MOUNTS)
    assert found == {
        "BASE": "/mnt",
        "BULK": "/s/models",
        "A": "x/mnt",
        "B": "x/mnt/$(LATER)",
        "C": "$(A)",
        "LATER": "1",
    }


@pytest.mark.parametrize(
    ("quantity", "divisor", "expected"),
    [("500m", "1", "1"), ("1500m", "1m", "1500"), ("1Gi", "1Mi", "1024"), ("1G", "1", "1000000000"), ("2", "", "2")],
)
def test_quantities_are_divided_and_rounded_up(quantity: str, divisor: str, expected: str) -> None:
    assert quantities.divided(quantity, divisor) == expected


POD = {
    "metadata": {
        "name": "p",
        "namespace": "n",
        "uid": "u",
        "labels": {"b": 'x"y', "a": "1"},
        "annotations": {"k": "v"},
    },
    "spec": {"nodeName": "sandbox", "containers": [{"name": "main", "resources": {"limits": {"cpu": "2"}}}]},
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.name", "p"),
        ("metadata.labels", 'a="1"\nb="x\\"y"'),
        ("metadata.annotations['k']", "v"),
        ("metadata.labels['none']", ""),
        ("status.podIP", "127.88.3.4"),
        ("spec.serviceAccountName", "default"),
    ],
)
def test_a_pod_learns_about_itself(path: str, expected: str) -> None:
    assert downward.field(path, POD, "sandbox", "10.88.3.4") == expected


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(downward.Unsupported, match=r"spec\.tolerations"):
        downward.field("spec.tolerations", POD, "sandbox", "10.88.3.4")


def test_resources_fall_back_to_the_node() -> None:
    container = POD["spec"]["containers"][0]  # type: ignore[index]
    assert downward.resource({"resource": "limits.cpu"}, container, POD, {"cpu": "8"}) == "2"
    assert downward.resource({"resource": "limits.memory", "divisor": "1Ki"}, container, POD, {"memory": "7Ki"}) == "7"
    assert downward.resource({"resource": "requests.cpu", "containerName": "main"}, {}, POD, {}) == "0"


def test_chosen_keys_go_where_they_are_wanted() -> None:
    values = {"a": b"1", "b": b"2"}
    assert volumes.chosen(values, {}, "secret") == values
    assert volumes.chosen(values, {"items": [{"key": "a", "path": "x/y"}]}, "secret") == {"x/y": b"1"}
    with pytest.raises(lookup.Missing, match="references non-existent config key: c"):
        volumes.chosen(values, {"items": [{"key": "c", "path": "c"}]}, "configmap")
    assert volumes.chosen(values, {"items": [{"key": "c", "path": "c"}], "optional": True}, "secret") == {}


def test_files_follow_their_source_and_stay_inside(tmp_path: Path) -> None:
    volumes.write(tmp_path, {"a": b"1", "deep/b": b"2"})
    volumes.write(tmp_path, {"a": b"3"})
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"3"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    with pytest.raises(downward.Unsupported):
        volumes.write(tmp_path, {"../out": b"4"})


def test_images_are_known_by_their_exact_version(tmp_path: Path) -> None:
    known = images.catalogue({"SKLEARN_TRAINER_PYTHON": str(tmp_path / "python")})
    trainer = next(name for name in known if "/trainer:" in name)
    found = images.find(trainer, known)
    assert found is not None
    assert found.bin == tmp_path
    assert images.find(trainer + "0", known) is None
    assert images.find("docker.io/kserve/storage-initializer:v9", known) is not None
    assert trainer in images.unknown_message("nginx", known)


def test_an_image_runs_its_own_entry_point_unless_told_otherwise() -> None:
    image = images.Image(Path("/bin"), ("serve",), ("--default",))
    assert image.argv([], []) == ["serve", "--default"]
    assert image.argv([], ["--own"]) == ["serve", "--own"]
    assert image.argv(["sh"], ["-c"]) == ["sh", "-c"]
    assert image.argv(["sh"], []) == ["sh"]


def test_addresses_are_kept_returned_and_not_shared(tmp_path: Path) -> None:
    subnet, holder = addresses.claim(tmp_path)
    other, second = addresses.claim(tmp_path)  # another agent on the same folder, by mistake
    holder.close()
    second.close()
    assert other != subnet
    pool = addresses.Addresses(subnet)
    first = pool.take("a", None)
    assert pool.take("a", None) == first
    assert pool.take("b", first) != first
    pool.release("a")
    assert pool.take("c", first) == first
    assert addresses.real(first) == first.replace("10.88.", "127.88.")
    assert addresses.real("192.0.2.1") == "192.0.2.1"
    for number in range(251):
        pool.take(str(number), None)
    with pytest.raises(OSError, match="full"):
        pool.take("one more", None)
