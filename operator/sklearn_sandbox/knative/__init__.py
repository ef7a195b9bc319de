"""A stand-in for Knative Serving, as far as KServe's Knative mode and whoever reads its status depend on it.

It runs in the process of KServe's stand-in: that one writes the Service of `serving.knative.dev/v1` and reads its
status, this one makes the rest. What it does is as Knative documents it (knative.dev/docs/serving):

- A Revision `<name>-0000N` for every change of `spec.template`, none for a change of `spec.traffic`. It never changes.
- Behind each a Deployment `<revision>-deployment`; its pods have the template's labels and
  `serving.knative.dev/revision`. The first pod comes up also where the minimum is zero (initial-scale 1).
- A Revision is Ready once a pod of it was, and stays so at zero, where only `Active` is False (NoTraffic). A container
  that exits makes it False (`ExitCode1`), pods that never come up after the progress deadline.
- `latestRevision: true` is the newest Ready one: traffic never moves to a Revision that is not Ready. Meanwhile the
  Service's ConfigurationsReady, and with it Ready, is Unknown or False, and the old Revision serves.
- A Revision out of traffic goes to zero, whatever its minimum; a minimum of zero goes there after a while without a
  request, and the gateway holds a request until a pod is ready again (the activator).

Otherwise than there: no objects Configuration, Route, PodAutoscaler and Ingress between them (the route is an HTTPRoute
of the Service's name, as net-gateway-api makes it, with the Kubernetes Services `<revision>-private` as backends); no
queue-proxy, so `containerConcurrency` and timeouts do nothing; no scaling between the minimum and the maximum; tags
have no address of their own; a Revision out of traffic goes to zero at once, not after a minute; all but the newest
three of these are deleted (Knative keeps many more).
"""
