"""DDP methods over REST: frames inside strings (docs/platforms/rocketchat.md#server-info)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import orjson

from ethora_async.sandbox.rocketchat.call import answer
from ethora_async.sandbox.rocketchat.encoding import ejson, read_ejson
from ethora_async.sandbox.rocketchat.errors import MeteorError
from ethora_async.sandbox.rocketchat.realtime.methods import Invocation, invoke
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import TEXT, closed

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()


@ROUTES.add("POST", "method.call/{method}", section="server-info", body=closed({"message": TEXT}))
def method_call(call: Call) -> Reply:
    """Run the method in the message, regardless of the path.

    The reply contains the error, with 200 before 7.0 and 400 since.
    """
    try:
        frame: Any = orjson.loads(call.body["message"])
    except ValueError:
        raise MeteorError("error-invalid-params", "Invalid message") from None
    if not isinstance(frame, dict) or not isinstance(frame.get("params"), list):
        raise MeteorError("error-invalid-params", "Invalid method call")
    fields = cast("dict[str, Any]", frame)
    invocation = Invocation(call.platform, call.user, call.now)
    reply: dict[str, Any] = {"msg": "result", "id": fields.get("id")}
    try:
        result = invoke(invocation, str(fields.get("method")), cast("list[Any]", read_ejson(fields["params"])))
    except MeteorError as error:
        late = call.platform.version.since(7)
        body = {"message": ejson({**reply, "error": error.frame()}), "success": not late}
        return answer(body, 400 if late else 200)
    return answer({"message": ejson({**reply, **({"result": result} if result else {})}), "success": True})
