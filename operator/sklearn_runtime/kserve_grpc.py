"""The V2 protocol over gRPC, by KServe's own server; loaded only where it is asked for.

Importing kserve costs 0.8 s and 77 MB (it brings pandas, FastAPI and the kubernetes client), so HTTP does without it.
Invariant: a request gives the same answer here as over HTTP, because both go through ``inference``.
"""

from __future__ import annotations

import time
from typing import Any

import kserve
import numpy as np
from kserve.errors import InvalidInput
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.grpc.server import GRPCServer
from kserve.protocol.model_repository_extension import ModelRepositoryExtension

from sklearn_runtime import errors, inference, metrics, predictor, server, v2

_MAX_MESSAGE_BYTES = 32 * 1024 * 1024


class GrpcModel(kserve.Model):  # type: ignore[misc]
    """The served model as KServe's data plane knows it."""

    def __init__(self, answers: inference.Inference, counted: metrics.Metrics) -> None:
        super().__init__(answers.served.name)
        self._answers = answers
        self._metrics = counted
        self._described = v2.description(
            answers.served.name, answers.served.version, answers.served.columns, answers.served.outputs
        )
        self.ready = True

    def get_input_types(self) -> list[dict[str, Any]]:
        return list(self._described["inputs"])

    def get_output_types(self) -> list[dict[str, Any]]:
        return list(self._described["outputs"])

    def predict(self, payload: kserve.InferRequest, headers: dict[str, str] | None = None) -> kserve.InferResponse:
        start = time.perf_counter()
        code = 500
        try:
            wanted = [output.name for output in payload.request_outputs or ()]
            outputs = self._answers.tensors([_tensor(item) for item in payload.inputs], wanted)
            code = 200
        except errors.RequestError as exc:
            code = exc.status
            raise InvalidInput(str(exc)) from exc
        finally:
            self._metrics.answered(code, time.perf_counter() - start)
        served = self._answers.served
        return kserve.InferResponse(
            response_id=payload.id,
            model_name=served.name,
            model_version=served.version,
            infer_outputs=[_infer_output(output) for output in outputs],
        )


def _tensor(item: kserve.InferInput) -> v2.Tensor:
    try:
        values = item.as_numpy().ravel().tolist()
        if item.datatype == "BYTES":
            values = [value.decode() if isinstance(value, bytes) else value for value in values]
    except (ValueError, TypeError) as exc:
        raise errors.RequestError(f"input {errors.shown(item.name)}: {exc}") from exc
    if not item.shape:
        raise errors.RequestError(f"input {errors.shown(item.name)}: shape is empty")
    return v2.Tensor(name=item.name, shape=tuple(item.shape), values=values)


def _infer_output(output: predictor.Output) -> kserve.InferOutput:
    result = kserve.InferOutput(name=output.name, shape=list(output.shape), datatype=output.datatype)
    values = output.values
    kinds = {"INT64": np.int64, "FP64": np.float64, "BOOL": np.bool_}
    result.set_data_from_numpy(values.astype(kinds.get(output.datatype, object)), binary_data=False)
    return result


def build(answers: inference.Inference, counted: metrics.Metrics, port: int) -> GRPCServer:
    """KServe's gRPC server for this one model; ``start`` and ``stop`` are coroutines."""
    repository = kserve.ModelRepository()
    repository.update(GrpcModel(answers, counted))
    limits = {"grpc_max_send_message_length": _MAX_MESSAGE_BYTES, "grpc_max_receive_message_length": _MAX_MESSAGE_BYTES}
    extension = ModelRepositoryExtension(model_registry=repository)
    return GRPCServer(port, DataPlane(repository), extension, kwargs=limits, grace_period=server.FINISH_SECONDS)
