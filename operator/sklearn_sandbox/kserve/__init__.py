"""A stand-in for KServe's controller and webhooks, for environments without the real one.

It makes the same children and the same status from an InferenceService as the real controller does, its traps included:
what a user of this stand-in gets away with, he gets away with on KServe. In Standard mode these are Deployment, Service
and autoscaler, in Knative mode a Knative Service, which `sklearn_sandbox.knative` takes from there. Where `settings`
say that there is no Knative, that mode is rejected.

With Gateway API, which is the default (`settings`), it writes an HTTPRoute, and the sandbox's gateway splits traffic by
that among stable predictor and `spec.canary[]`; without, canaries are objects that get none, as with a plain Ingress.

The one deliberate difference: `status.url` is the loopback address that the gateway opened for the HTTPRoute, and
`status.address.url` the one that the node agent opened for the stable predictor's Service (each the annotation
`sandbox.sklearn-operator.io/address`), because neither host names nor cluster DNS exist here. Until both are there
IngressReady is not True. Without Gateway API both are the Service's.

Of Knative mode both are the address of Knative's route, as on a cluster without Istio's VirtualServices.

Not played: transformers, explainers, agents, modelcars, and the environment that KServe adds for MLServer.
"""
