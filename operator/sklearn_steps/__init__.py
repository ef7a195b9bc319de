"""What runs in the trainer pods: prepare, train, evaluate, publish; with or without Kubeflow Pipelines.

The rooms, from the inside out: ``contract`` (the words shared with the operator; pydantic alone) < ``errors`` <
``parts`` (what the steps hand to each other) < ``objectstore``, ``sources``, ``tables`` and ``estimators`` (the outside
and scikit-learn) < ``prepare``, ``train``, ``evaluate``, ``publish`` < ``tasks`` (the same, with failure reports) <
``__main__`` and ``pipeline``. Importing the package imports nothing: a step pays only for the libraries it uses itself.
"""
