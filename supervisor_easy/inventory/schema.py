"""The shape of `inventory.yaml`: its keys and the form of each value.

What needs more than one value to judge (names, addresses, references) is checked in
`hosts` and `references`.
"""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from supervisor_easy.errors import SelectorError
from supervisor_easy.inventory.cron import check_cron
from supervisor_easy.inventory.nearest import close
from supervisor_easy.inventory.secrets import SecretRef
from supervisor_easy.inventory.values import Amount
from supervisor_easy.selector import parse_selector
from supervisor_easy.units import format_duration, parse_duration

#: Longest time-out a host may be given.
MAX_TIMEOUT = timedelta(minutes=10)
#: Longest deadline or pause of a rolling restart.
MAX_SPAN = timedelta(days=7)
#: Longest label key or value, in characters.
MAX_LABEL = 255

_LABEL_KEY = r"\w[\w.-]*"
_LABEL_VALUE = r"\w[\w.:+@-]*"
#: The same for editors, whose \\w knows ASCII only.
_LABEL_KEY_LOOSE = r"^[^\s/=,!@*?:\[\]{}]+$"
_PERCENT = r"(100|[1-9]?[0-9])%"
_DURATION = r"^\s*([0-9]+(\.[0-9]+)?([mM][sS]|[sSmMhHdD]))+\s*$"

_DurationText = Annotated[str, Field(pattern=_DURATION)]
_Scalar = str | int | float | bool


def _text(value: object) -> object:
    if value is True or value is False:
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else value


def _span(value: object, least: timedelta, most: timedelta) -> timedelta:
    if not isinstance(value, str):
        # Not a TypeError: pydantic reports ValueErrors only.
        raise ValueError(  # noqa: TRY004
            "a duration is a number with a unit, such as 500ms, 3s, 2m or 1h30m"
        )
    try:
        span = parse_duration(value)
    except OverflowError:
        span = timedelta.max
    if not least <= span <= most:
        raise ValueError(
            f"{value} is outside {format_duration(least)} to {format_duration(most)}"
        )
    return span


def _timeout(value: object) -> timedelta:
    return _span(value, timedelta(milliseconds=1), MAX_TIMEOUT)


def _deadline(value: object) -> timedelta:
    return _span(value, timedelta(seconds=1), MAX_SPAN)


def _pause(value: object) -> timedelta:
    return _span(value, timedelta(0), MAX_SPAN)


def _amount(value: object) -> Amount:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Amount(value)
    if isinstance(value, str) and re.fullmatch(_PERCENT, value.strip()):
        return Amount(int(value.strip()[:-1]), is_percent=True)
    raise ValueError("write a whole number, or a percentage from 0% to 100%")


def _positive_amount(value: object) -> Amount:
    amount = _amount(value)
    if amount.number == 0:
        raise ValueError("0 would never let anything restart; write at least 1 or 1%")
    return amount


def _label_key(value: str) -> str:
    if len(value) > MAX_LABEL or not re.fullmatch(_LABEL_KEY, value):
        raise ValueError(
            f"{value!r} is not a label key; use letters, digits, _ . - and begin "
            "with a letter or digit"
        )
    return value


def _label_value(value: object) -> object:
    text = _text(value)
    if isinstance(text, str) and (
        len(text) > MAX_LABEL or not re.fullmatch(_LABEL_VALUE, text)
    ):
        raise ValueError(
            f"{text!r} is not a label value; use letters, digits, _ . - : + @ and "
            "begin with a letter or digit"
        )
    return text


def _secret(value: object) -> SecretRef | None:
    if value is None:
        return None
    if isinstance(value, dict) and len(value) == 1:
        kind, name = next(iter(value.items()))
        if kind == "env" and isinstance(name, str) and name:
            return SecretRef("env", name)
        if kind == "file" and isinstance(name, str) and name:
            return SecretRef("file", name)
    text = _text(value)
    if isinstance(text, str) and text:
        return SecretRef("plain", text)
    raise ValueError("write {env: NAME}, {file: path} or a text that is not empty")


def _wrapped(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _member(value: object) -> object:
    if isinstance(value, str):
        try:
            parse_selector(value)
        except SelectorError as exc:
            raise ValueError(str(exc)) from exc
    return value


def _cron(value: object) -> object:
    if isinstance(value, str):
        check_cron(value)
    return value


def _zone(value: object) -> object:
    if isinstance(value, str):
        try:
            ZoneInfo(value)
        except (OSError, ValueError, LookupError) as exc:
            near = close(value, available_timezones())
            near = near or "; write one such as Europe/Berlin"
            raise ValueError(f"{value!r} is not a time zone{near}") from exc
    return value


def _empty_host(value: object) -> object:
    return {} if value is None else value


def _short_group(value: object) -> object:
    return {"members": value} if isinstance(value, (str, list)) else value


Text = Annotated[str, BeforeValidator(_text, json_schema_input_type=_Scalar)]
Timeout = Annotated[
    timedelta, BeforeValidator(_timeout, json_schema_input_type=_DurationText)
]
Deadline = Annotated[
    timedelta, BeforeValidator(_deadline, json_schema_input_type=_DurationText)
]
Pause = Annotated[
    timedelta, BeforeValidator(_pause, json_schema_input_type=_DurationText)
]
_Percentage = Annotated[str, Field(pattern=rf"^\s*{_PERCENT}\s*$")]
_PositivePercentage = Annotated[str, Field(pattern=r"^\s*(100|[1-9][0-9]?)%\s*$")]
AnyAmount = Annotated[
    Amount,
    PlainValidator(
        _amount, json_schema_input_type=Annotated[int, Field(ge=0)] | _Percentage
    ),
]
PositiveAmount = Annotated[
    Amount,
    PlainValidator(
        _positive_amount,
        json_schema_input_type=Annotated[int, Field(ge=1)] | _PositivePercentage,
    ),
]
LabelKey = Annotated[str, BeforeValidator(_label_key)]
LabelValue = Annotated[
    str, BeforeValidator(_label_value, json_schema_input_type=_Scalar)
]
Labels = Annotated[
    dict[LabelKey, LabelValue],
    Field(
        description="Words to select hosts by, `role: scanner`.",
        json_schema_extra={
            "propertyNames": {"pattern": _LABEL_KEY_LOOSE, "maxLength": MAX_LABEL}
        },
    ),
]
Selector = Annotated[str, BeforeValidator(_member, json_schema_input_type=str)]
Members = Annotated[
    list[Selector],
    BeforeValidator(_wrapped, json_schema_input_type=list[str] | str),
    Field(min_length=1, description="Selectors, `HOST/PROCESS` or `@group`."),
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class EnvSecret(_Model):
    """A secret that is taken from an environment variable of the console."""

    env: str = Field(min_length=1)


class FileSecret(_Model):
    """A secret that is the content of a file, seen from the inventory's folder."""

    file: str = Field(min_length=1)


Secret = Annotated[
    SecretRef | None,
    PlainValidator(
        _secret, json_schema_input_type=_Scalar | EnvSecret | FileSecret | None
    ),
]


class Connection(_Model):
    """How to reach a host's supervisord; on `defaults` for every host."""

    scheme: Literal["http", "https"] = "http"
    port: int = Field(9001, ge=1, le=65535, description="Port of `[inet_http_server]`.")
    path: str = Field("", description="Path before /RPC2, behind a proxy.")
    username: Text | None = None
    password: Secret = Field(
        default=None, description="Better `{env: NAME}` than text."
    )
    connect_timeout: Timeout = Field(
        timedelta(seconds=3), description="Longest wait for a connection, `3s`."
    )
    request_timeout: Timeout = Field(
        timedelta(seconds=10), description="Longest wait for an answer, `10s`."
    )
    ca_file: str | None = Field(None, description="Certificates to trust (https).")
    client_cert: str | None = Field(None, description="Our certificate (https).")
    client_key: str | None = Field(None, description="The key of `client_cert`.")
    verify_tls: bool = Field(default=True, description="false accepts any certificate.")
    labels: Labels = Field(default_factory=dict)


class HostModel(Connection):
    """One host, or a range of hosts."""

    address: Text | None = Field(
        None, description="Name or IP, ranges allowed. Default: the host's name."
    )
    url: str | None = Field(
        None, description="`http://`, `https://` or `unix:///path`, instead of address."
    )


class RollingModel(_Model):
    """How a group is restarted in turn."""

    max_unavailable: PositiveAmount | None = None
    max_failures: AnyAmount | None = None
    stages: Annotated[list[PositiveAmount], Field(min_length=1)] | None = None
    min_healthy: Pause | None = None
    healthy_deadline: Deadline | None = None
    progress_deadline: Deadline | None = None
    per_host: Annotated[int, Field(ge=1)] | None = None
    order: Literal["oldest", "largest", "inventory"] | None = None
    pause_between: Pause | None = None


class GroupModel(_Model):
    """A named set of processes across hosts."""

    members: Members
    rolling: RollingModel | None = None


class ScheduleModel(_Model):
    """When a group is restarted."""

    group: str
    cron: Annotated[str, BeforeValidator(_cron, json_schema_input_type=str)] = Field(
        description='Five fields, quoted: "0 4 * * *"; or "@daily".'
    )
    timezone: Annotated[str, BeforeValidator(_zone, json_schema_input_type=str)] = (
        Field("UTC", description="An IANA zone, `Asia/Shanghai`.")
    )
    start_within: Deadline = Field(
        timedelta(minutes=30), description="How late a run may still start."
    )


_Host = Annotated[
    HostModel,
    BeforeValidator(_empty_host, json_schema_input_type=HostModel | None),
]
_Group = Annotated[
    GroupModel,
    BeforeValidator(_short_group, json_schema_input_type=GroupModel | list[str] | str),
]


class InventoryModel(_Model):
    """The inventory of supervisor-easy: hosts, groups of processes, schedules."""

    version: Literal[1] = Field(description="The version of this format: 1.")
    defaults: Connection = Field(default_factory=Connection)
    hosts: dict[str, _Host] = Field(default_factory=dict)
    groups: dict[str, _Group] = Field(default_factory=dict)
    schedules: dict[str, ScheduleModel] = Field(default_factory=dict)


def inventory_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "supervisor-easy inventory",
        **InventoryModel.model_json_schema(mode="validation"),
    }
