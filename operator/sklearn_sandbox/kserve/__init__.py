"""A stand-in for KServe's controller and webhooks, Standard mode, for environments without the real one.

It makes the same Deployment, Service, autoscaler and status from an InferenceService as the real controller does, its
traps included: what a user of this stand-in gets away with, he gets away with on KServe.

The one deliberate difference: `status.url` and `status.address.url` are the loopback address that the node agent opened
for the predictor's Service (annotation `sandbox.sklearn-operator.io/address`), because neither an ingress nor cluster
DNS exists here; until there is one, both are absent and IngressReady is Unknown.

Not played: Knative mode (refused as on a cluster without Knative), transformers, explainers, agents, modelcars, and the
environment that KServe adds for MLServer.
"""
