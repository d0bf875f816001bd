"""The bodies that programs send: strict, and nothing that is not named here."""

from typing import Annotated, TypeVar

from flask import request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from supervisor_easy.model import Action
from supervisor_easy.web.errors import BadRequest, WrongType

Model = TypeVar("Model", bound=BaseModel)

#: Most targets in one request; a larger fleet is acted on in parts.
MAX_TARGETS = 50_000
Text = Annotated[str, Field(max_length=1_000)]
#: An empty word in a list has lost what was meant; it never means everything.
Word = Annotated[str, Field(max_length=1_000, pattern=r"\S")]
Texts = Annotated[list[Word], Field(max_length=1_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class ActionBody(_Strict):
    """`POST /actions`: selectors that choose, or the exact targets."""

    action: Action
    selectors: Texts = []
    groups: Texts = []
    hosts: Texts = []
    labels: Texts = []
    states: Texts = []
    targets: Annotated[list[Word], Field(max_length=MAX_TARGETS)] = []
    expected: dict[Text, int] | None = None
    signal: Annotated[str, Field(max_length=20)] = ""
    reason: Annotated[str, Field(max_length=500)] = ""
    dry_run: bool = False


class UpdatePreviewBody(_Strict):
    """`POST /updates/preview`: the hosts that read their configuration again."""

    hosts: Annotated[list[Word], Field(min_length=1, max_length=1_000)]


def read_body(kind: type[Model]) -> Model:
    """Read and check the request's JSON.

    Raises:
        WrongType: it is not declared as JSON.
        BadRequest: it is not JSON, or not as it should be; every problem is named.
    """
    if not request.is_json:
        raise WrongType("send JSON, with Content-Type: application/json")
    try:
        return kind.model_validate_json(request.get_data())
    except ValidationError as exc:
        # Without the input: it may hold what no answer and no log should.
        problems = [
            {
                "field": ".".join(str(part) for part in error["loc"]),
                "message": error["msg"],
            }
            for error in exc.errors(include_input=False, include_url=False)
        ]
        first = problems[0]
        where = f"{first['field']}: " if first["field"] else ""
        raise BadRequest(
            f"the body is not as it should be: {where}{first['message']}",
            details={"problems": problems},
        ) from None


def no_body() -> None:
    """See that a request that takes no body has none, or an empty object.

    Raises:
        BadRequest: it has one.
    """
    if request.get_data().strip() not in (b"", b"{}"):
        raise BadRequest("this takes no body")
