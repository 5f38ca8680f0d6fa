"""What the running cells put out, kept so that a note can be taken out from between.

In Jupyter's protocol an output cannot be removed; all of a cell's can be cleared (`clear_output`). So a note goes by
clearing the cell and sending again what else it has put out. For that the messages are noted as they are sent: the
`Session` of the kernel gets a `send` of its own, which passes everything on.
"""

from __future__ import annotations

from typing import Any

_OUTPUTS = ("stream", "display_data", "execute_result", "error", "update_display_data")
_MOST = 1_000_000  # characters of one cell's outputs that are kept; beyond, the emptied note stays where it is
_MOST_MESSAGES = 1000


class Outputs:
    """The outputs of the requests that are being watched, by the request's id."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._kept: dict[str, list[tuple[str, Any]] | None] = {}
        self._sizes: dict[str, int] = {}

    def start(self) -> None:
        """See every message from now on."""
        self._send = self._session.send
        self._session.send = self._seeing

    def stop(self) -> None:
        """See no more."""
        if vars(self._session).get("send") == self._seeing:  # else somebody has put theirs above: ours passes on
            del self._session.send
        self._kept.clear()

    def watch(self, request: str) -> None:
        """Keep what this request puts out."""
        self._kept[request], self._sizes[request] = [], 0

    def forget(self, request: str) -> None:
        """Keep it no longer."""
        self._kept.pop(request, None)
        self._sizes.pop(request, None)

    def of(self, request: str) -> list[tuple[str, Any]] | None:
        """The outputs of a watched request so far, each a kind and a content; None if they cannot be sent again."""
        kept = self._kept.get(request)
        return None if kept is None else list(kept)

    def send(self, kind: str, content: Any, header: Any, publisher: Any) -> None:
        """Send a message of ours, which is no output of the cell."""
        message = self._session.msg(kind, content, parent=header)
        self._send(publisher.pub_socket, message, ident=publisher.topic)

    def _seeing(self, *arguments: Any, **named: Any) -> Any:
        if self._kept:
            try:
                self._note(*arguments, **named)
            except Exception:  # another version of jupyter_client: nothing is kept then
                self._kept = dict.fromkeys(self._kept)
        return self._send(*arguments, **named)

    def _note(self, _: Any, message: Any, content: Any = None, parent: Any = None, *rest: Any, **named: Any) -> None:
        if isinstance(message, str):
            kind = message
        else:
            kind, content, parent = message["header"]["msg_type"], message["content"], message["parent_header"]
        if kind not in _OUTPUTS and kind != "clear_output":
            return
        request = ((parent or {}).get("header") or parent or {}).get("msg_id", "")
        kept = self._kept.get(request)
        if kept is None:
            return
        self._sizes[request] += len(str(content))
        too_much = self._sizes[request] > _MOST or len(kept) >= _MOST_MESSAGES
        if kind == "clear_output" or named.get("buffers") or too_much:
            self._kept[request] = None
        else:
            kept.append((kind, content))
