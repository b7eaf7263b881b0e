"""Anthropic, and the services that speak its Messages API.

Source: docs of the Messages API; API keys go into `x-api-key`, OAuth access tokens (`sk-ant-oat…`) into a Bearer field.
"""

from __future__ import annotations

from ccproxy.auth.base import Credential
from ccproxy.providers.base import Addition, Field, ProviderType, bearer

_BETA = b"anthropic-beta"
#: Without it an OAuth access token is refused.
OAUTH_BETA = b"oauth-2025-04-20"


def credential_field(value: str) -> Field:
    """`Authorization: Bearer` for an OAuth access token, `x-api-key` for everything else."""
    return bearer(value) if value.startswith("sk-ant-oat") else (b"x-api-key", value.encode("latin-1", "replace"))


def amend(fields: list[Field], credential: Credential) -> list[Addition]:
    """Adds the beta that an OAuth access token needs where the client does not name it; all others stay as they are."""
    if not credential.value.startswith("sk-ant-oat"):
        return []
    places = [place for place, (name, _) in enumerate(fields) if name.lower() == _BETA]
    named = {beta.strip() for place in places for beta in fields[place][1].split(b",")}
    if OAUTH_BETA in named:
        return []
    if places:
        name, value = fields[places[0]]
        fields[places[0]] = (name, value + b"," + OAUTH_BETA if value.strip() else OAUTH_BETA)
    else:
        fields.append((_BETA, OAUTH_BETA))
    return [Addition(_BETA.decode(), OAUTH_BETA.decode(), "an OAuth access token needs it")]


def _messages(name: str, host: str, path: str) -> ProviderType:
    return ProviderType(
        name=name,
        dialects=("anthropic",),
        host=host,
        path=path,
        main="/messages",
        credential_field=credential_field,
        amend=amend,
    )


TYPES = (
    _messages("anthropic", "api.anthropic.com", "/v1/messages"),
    _messages("deepseek", "api.deepseek.com", "/anthropic/v1/messages"),
    _messages("zai", "api.z.ai", "/api/anthropic/v1/messages"),
)
