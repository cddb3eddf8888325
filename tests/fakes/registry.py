"""Schema registries without a server of their own: one in memory, and one that speaks HTTP on loopback."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from processors.stream.message_door import RegistryUnreachable

UNKNOWN_SCHEMA: Final = {"error_code": 40403, "message": "Schema not found"}


class FakeSchemas:
    """A registry as the door meets it: `asked` are the ids that it was asked for, in order."""

    def __init__(self) -> None:
        self.is_reachable = True
        self.asked: list[int] = []
        self._schemas: dict[int, str] = {}

    def register(self, schema: Any) -> int:
        """The id of a schema, given as text or as data; the same text has the same id."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        known = {one: schema_id for schema_id, one in self._schemas.items()}
        schema_id = known.get(text, len(known) + 1)
        self._schemas[schema_id] = text
        return schema_id

    def by_id(self, schema_id: int) -> str | None:
        self.asked.append(schema_id)
        if not self.is_reachable:
            raise RegistryUnreachable("the schema registry gives no answer: it is switched off")
        return self._schemas.get(schema_id)


class FakeRegistry:
    """The three calls of a registry's HTTP interface that Tallybook makes.

    Of BACKWARD compatibility it knows one rule: a field that the version before has not needs a default. `status` other
    than 200 is what it answers to everything, as a registry in trouble does; `leads_to` is where it redirects then.
    """

    def __init__(self) -> None:
        self.status = 200
        self.leads_to = ""
        self.requests: list[str] = []
        self.authorization: str | None = None
        self.compatibility: dict[str, str] = {}
        self._schemas: list[str] = []
        self._subjects: dict[str, list[str]] = {}

    def answer(self, method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        self.requests.append(f"{method} {path}")
        if self.status != 200:
            return self.status, {"error_code": self.status, "message": "not now"}
        match [method, *path.strip("/").split("/")]:
            case ["GET", "schemas", "ids", schema_id]:
                known = int(schema_id) <= len(self._schemas)
                return (200, {"schema": self._schemas[int(schema_id) - 1]}) if known else (404, UNKNOWN_SCHEMA)
            case ["PUT", "config", subject]:
                self.compatibility[subject] = body["compatibility"]
                return 200, body
            case ["POST", "subjects", subject, "versions"]:
                return self._register(subject, body["schema"])
        return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}

    def _register(self, subject: str, schema: str) -> tuple[int, dict[str, Any]]:
        versions = self._subjects.setdefault(subject, [])
        if versions and schema not in versions and self.compatibility.get(subject) == "BACKWARD":
            known = {field["name"] for field in json.loads(versions[-1])["fields"]}
            needed = {field["name"] for field in json.loads(schema)["fields"] if "default" not in field}
            if not needed <= known:
                return 409, {"error_code": 409, "message": f"no default for {min(needed - known)}"}
        if schema not in versions:
            versions.append(schema)
        if schema not in self._schemas:
            self._schemas.append(schema)
        return 200, {"id": self._schemas.index(schema) + 1}


@contextmanager
def served(registry: FakeRegistry) -> Iterator[str]:
    """The address at which a fake registry answers on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            registry.authorization = self.headers.get("Authorization")
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer = registry.answer(self.command, self.path, json.loads(text) if text else None)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if registry.leads_to:
                self.send_header("Location", registry.leads_to)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = _serve  # noqa: N815 - the names that the library looks for

        def log_message(self, *_arguments: object) -> None:
            """Nothing: the test says what went wrong."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
