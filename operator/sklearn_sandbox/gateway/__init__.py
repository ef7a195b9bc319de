"""The sandbox's gateway: plays the controller and the proxy of a Gateway API implementation for all HTTPRoutes.

Each HTTPRoute gets a loopback port of its own, because host names resolve nowhere here; it is written on the route as
the annotation `sandbox.sklearn-operator.io/address`, and the route is accepted in its status. Requests are split one by
one (not connections) in the exact ratio of the weights, over any hundred requests of weights that add up to 100.

Played as the Gateway API has it (gateway-api.sigs.k8s.io, HTTPRoute): weights are relative to their sum, 1 where none
is said, and 0 gets nothing; `timeouts.request` ends in 504; nobody to ask is 503, a backend that breaks off is 502.

Kinder than a real one, on purpose: the share of a backend that is not there goes to the others, and a request that
finds nobody at all waits a moment for the route to change. Without that, the moment between KServe's cleanup and its
update of the route would make tests fail for no reason of ours.

It is Knative's activator and autoscaler, too, as far as zero is concerned (`activator`): a request for a revision
without pods waits until there is one.

Not played: Gateway objects, hosts, matches, filters and several rules (KServe's routes have one rule), TLS, HTTP/2 and
with it gRPC, WebSockets.
"""
