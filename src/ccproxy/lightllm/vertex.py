"""Messages in the form of Vertex AI, and back: the model stands in the path, the version in the body. Bytes in, bytes
out; what is not of the form keeps its bytes. Answers are the same in both.

Source: the official SDK (`anthropic.lib.vertex`): `…/models/MODEL:rawPredict`, `:streamRawPredict` for streams, and
`…/models/count-tokens:rawPredict`, whose body keeps the model.
"""

from __future__ import annotations

from ccproxy.lightllm.body import JsonBody

#: The version that Vertex AI has another name for.
_PUBLIC, _ON_VERTEX = "2023-06-01", "vertex-2023-10-16"
_VERSION = "anthropic_version"


def to_vertex(body: bytes, model: str, version: str, *, counts: bool) -> tuple[bytes, str]:
    """The body for Vertex AI, and the method that stands behind the model's name in the path.

    Args:
        model: the model to ask for; "" for the one in the body.
        version: what the client's `anthropic-version` says.
        counts: this asks for a token count.

    Raises BadRequest if the body is no JSON object.
    """
    document = JsonBody(body)
    if not document.get(_VERSION):
        document[_VERSION] = _ON_VERTEX if version in {"", _PUBLIC} else version
    if not counts:
        document.delete("model")
    elif model:
        document["model"] = model
    streams = document.get("stream") is True and not counts
    return document.raw, "streamRawPredict" if streams else "rawPredict"


def from_vertex(body: bytes, model: str, action: str) -> tuple[bytes, str]:
    """The body for everybody else, and what `anthropic-version` is to say.

    Args:
        model: the model to ask for; "" for the one in the body.
        action: the method in the path, which may ask for a stream.
    """
    document = JsonBody(body)
    if model:
        document["model"] = model
    if action == "streamRawPredict":
        document["stream"] = True
    version = document.get(_VERSION)
    document.delete(_VERSION)
    known = isinstance(version, str) and version and version != _ON_VERTEX
    return document.raw, str(version) if known else _PUBLIC
