"""``make manifests``: write every generated file anew.

Invariant: `made` is a function of the chart's templates, the settings and the CRDs; it writes nothing itself.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from rich import console

from scripts.manifests import kustomize, values
from sklearn_operator.cli import crds
from sklearn_sandbox import helm, paths, progress

CHART, DEPLOY = "charts/sklearn-operator", "deploy"
_RBAC = {
    "leaderElection": {"enabled": True},
    "rbac": {"artifactSecrets": {"enabled": True}, "aggregateToUserRoles": False},
}


def of_the_chart() -> dict[str, str]:
    """Path -> text, of what the chart is made with; the rest is made with the chart."""
    found = {f"{CHART}/files/crds/{name}": text for name, text in crds.render().items()}
    return found | {f"{CHART}/values.yaml": values.text(), f"{CHART}/values.schema.json": values.schema()}


def by_the_chart(tool: helm.Helm) -> dict[str, str]:
    """Path -> text, of everything in deploy/ that is not written by hand."""
    base = kustomize.plain(tool.render(kustomize.BASE_VALUES))
    found = {f"{DEPLOY}/kustomize/{name}": text for name, text in kustomize.base(base).items()}
    have = [path.name for path in (helm.chart_folder() / "files").iterdir()]
    for name, (about, chosen) in kustomize.components(have).items():
        after = kustomize.plain(tool.render({**kustomize.BASE_VALUES, **chosen}))
        for file, text in kustomize.component(about, base, after).items():
            found[f"{DEPLOY}/kustomize/components/{name}/{file}"] = text
    rbac = [
        one
        for one in kustomize.plain(tool.render(_RBAC))
        if one.template.startswith("rbac") or one.template == "serviceaccount.yaml"
    ]
    namespace = found[f"{DEPLOY}/kustomize/base/namespace.yaml"]
    found[f"{DEPLOY}/rbac.yaml"] = namespace + "---\n" + kustomize.joined(rbac).removeprefix(kustomize.HEADER)
    runtime = [one for one in base if one.template == "servingruntime.yaml"]
    found[f"{DEPLOY}/runtime/clusterservingruntime.yaml"] = kustomize.joined(runtime)
    return found


def write(found: dict[str, str], root: Path) -> None:
    for name, text in found.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


def main() -> None:
    root = paths.project_root()
    write(of_the_chart(), root)
    with progress.reporting(console.Console(stderr=True)) as reporter:
        tool = helm.ensure(reporter)
    found = by_the_chart(tool)
    shutil.rmtree(root / DEPLOY / "kustomize", ignore_errors=True)
    write(found, root)


if __name__ == "__main__":
    main()
