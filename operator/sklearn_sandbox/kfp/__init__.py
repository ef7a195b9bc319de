"""Kubeflow Pipelines on one machine: the part of its v2beta1 REST API that people and the operator use.

It answers as the real API server does, traps included; where the two differ, the real one is right and this is a bug.
Every claim about the real server comes from its source (kubeflow/pipelines, backend/src/apiserver, 2.17) or from a live
one, and has a test in tests/contract.
"""
