"""The serving runtime: one process loads one published model and answers V1 and V2 inference requests.

The rooms, from the inside out: ``errors`` < ``schema`` < ``tables`` (JSON values to model input) < ``predictor`` <
``artifact`` and ``golden`` (is this the model that was trained?) < ``v1`` and ``v2`` (the protocols) < ``web`` and
``kserve_grpc`` (the wires) < ``server`` < ``__main__``. Nothing listens before the model has proved itself.
"""

from __future__ import annotations
