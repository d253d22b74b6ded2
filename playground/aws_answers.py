"""Answers in the forms of STS (query protocol, XML) and ECR (JSON 1.1)."""

from __future__ import annotations

import json
import secrets
from typing import Any
from xml.sax.saxutils import escape

from starlette.responses import Response

from playground.aws_faults import Fault

XMLNS = "https://sts.amazonaws.com/doc/2011-06-15/"
JSON = "application/x-amz-json-1.1"


def sts(operation: str, result: str) -> Response:
    """`result`: what stands in the operation's result, as XML."""
    body = (
        f'<{operation}Response xmlns="{XMLNS}"><{operation}Result>{result}</{operation}Result>'
        f"<ResponseMetadata><RequestId>{secrets.token_hex(16)}</RequestId></ResponseMetadata></{operation}Response>"
    )
    return Response(body, 200, media_type="text/xml")


def ecr(result: dict[str, Any]) -> Response:
    return Response(json.dumps(result), media_type=JSON)


def error(service: str, fault: Fault, message: str, headers: dict[str, str]) -> Response:
    """`service`: "ecr" or "sts"."""
    if service == "ecr":
        body = json.dumps({"__type": fault.ecr.code, "message": message})
        return Response(body, fault.ecr.status, headers, JSON)
    kind = "Sender" if fault.sts.status < 500 else "Receiver"
    body = (
        f'<ErrorResponse xmlns="{XMLNS}"><Error><Type>{kind}</Type><Code>{fault.sts.code}</Code>'
        f"<Message>{escape(message)}</Message></Error><RequestId>{secrets.token_hex(16)}</RequestId></ErrorResponse>"
    )
    return Response(body, fault.sts.status, headers, "text/xml")
