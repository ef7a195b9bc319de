"""The sandbox's node: a small agent that plays the kubelet and kube-proxy for the one node ``sandbox``."""
