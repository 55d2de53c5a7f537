"""What of KEDA's ScaledObject and TriggerAuthentication (keda.sh/v1alpha1) deploy/ uses, and no more.

Names and types as in KEDA's CRDs and in the documentation of its redis-streams scaler. Written down here,
since the schemas come with KEDA alone, and a parameter that is misspelled is found by nobody else.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

#: The scaler's parameters. All are strings, also those that are numbers.
PARAMETERS = frozenset(
    (
        *("address", "host", "port", "stream", "consumerGroup", "pendingEntriesCount", "streamLength"),
        *("lagCount", "activationLagCount", "databaseIndex", "enableTLS", "unsafeSsl"),
        *("usernameFromEnv", "passwordFromEnv"),
    )
)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Named(Strict):
    name: str


class Metadata(Strict):
    name: str


class Fallback(Strict):
    failure_threshold: int = Field(ge=1)
    replicas: int = Field(ge=0)


class Step(Strict):
    type: Literal["Pods", "Percent"]
    value: int = Field(ge=1)
    period_seconds: int = Field(ge=1, le=1800)


class Scaling(Strict):
    stabilization_window_seconds: int = Field(ge=0, le=3600)
    policies: list[Step]


class Behavior(Strict):
    scale_up: Scaling
    scale_down: Scaling


class Autoscaler(Strict):
    behavior: Behavior


class Advanced(Strict):
    horizontal_pod_autoscaler_config: Autoscaler


class Trigger(Strict):
    type: Literal["redis-streams"]
    metadata: dict[str, str]
    authentication_ref: Named

    @model_validator(mode="after")
    def _knows_its_parameters(self) -> Self:
        unknown = self.metadata.keys() - PARAMETERS
        # KEDA asks for the length of a stream only where no group is named.
        asks = {"consumerGroup", "lagCount"} if "consumerGroup" in self.metadata else {"streamLength"}
        missing = {"address", "stream", *asks} - self.metadata.keys()
        wanted = self.metadata.get("lagCount") or self.metadata.get("streamLength", "")
        if unknown or missing or not wanted.isdigit():
            raise ValueError(f"unknown: {unknown}, missing: {missing}, or what is wanted is no number")
        return self


class Scaled(Strict):
    scale_target_ref: Named
    min_replica_count: int = Field(ge=0)
    max_replica_count: int = Field(ge=1)
    polling_interval: int = Field(ge=1)
    fallback: Fallback
    advanced: Advanced
    triggers: list[Trigger] = Field(min_length=1)


class ScaledObject(Strict):
    api_version: Literal["keda.sh/v1alpha1"]
    kind: Literal["ScaledObject"]
    metadata: Metadata
    spec: Scaled


class SecretRef(Strict):
    parameter: Literal["username", "password"]
    name: str
    key: str


class Signing(Strict):
    secret_target_ref: list[SecretRef]


class TriggerAuthentication(Strict):
    api_version: Literal["keda.sh/v1alpha1"]
    kind: Literal["TriggerAuthentication"]
    metadata: Metadata
    spec: Signing
