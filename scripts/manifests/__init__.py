"""Writes what is generated for an installation: parts of the chart, deploy/kustomize, deploy/rbac.yaml, deploy/runtime.

The chart's templates are the only source of manifests, and runtime/settings.py the only source of settings. Run it by
`make manifests`; a test compares what it would write with what is there.
"""
