"""A stand-in for KServe's controller and webhooks, Standard mode, for environments without the real one.

It makes the same Deployment, Service, autoscaler and status from an InferenceService as the real controller does, its
traps included: what a user of this stand-in gets away with, he gets away with on KServe.

With Gateway API, which is the default (`settings`), it writes an HTTPRoute, and the sandbox's gateway splits traffic by
that among stable predictor and `spec.canary[]`; without, canaries are objects that get none, as with a plain Ingress.

The one deliberate difference: `status.url` is the loopback address that the gateway opened for the HTTPRoute, and
`status.address.url` the one that the node agent opened for the stable predictor's Service (each the annotation
`sandbox.sklearn-operator.io/address`), because neither host names nor cluster DNS exist here. Until both are there
IngressReady is not True. Without Gateway API both are the Service's.

Not played: Knative mode (refused as on a cluster without Knative), transformers, explainers, agents, modelcars, and the
environment that KServe adds for MLServer.
"""
