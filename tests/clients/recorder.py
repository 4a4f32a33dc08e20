"""A service behind the gateway that keeps every byte it gets, and answers what it is told to."""

import socket
import threading

PLAIN = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"


class Seen:
    """A request as it came: the head's bytes, the body's bytes with their framing, and whether all of it was there."""

    def __init__(self, head):
        self.head, self.body, self.is_whole = head, b"", False
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = first.split(" ", 2)
        self.headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines if line)]

    def all(self, name):
        return [value for known, value in self.headers if known == name]

    def get(self, name):
        values = self.all(name)
        return values[0] if values else None


class Recorder:
    """Listens on a port of its own. `answers` are given in turn, then the plain one again.

    An answer is bytes, or a function of the socket and the request that answers itself and tells whether the
    connection goes on. `early` ones are given before the body is read.
    """

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.lock = threading.Condition()
        self.seen, self.answers, self.early, self.bytes = [], [], [], 0
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.listener.close()

    def take(self):
        """What came since the last time, each request as far as it came."""
        with self.lock:
            seen, self.seen = self.seen, []
        return seen

    def one(self, timeout=10):
        """The one request that came, or comes, to its end."""
        with self.lock:
            assert self.lock.wait_for(lambda: any(seen.is_whole for seen in self.seen), timeout), [seen.head for seen in self.seen]
        seen = [request for request in self.take() if request.is_whole]
        assert len(seen) == 1, [request.head for request in seen]
        return seen[0]

    def waits(self, condition, timeout=10):
        with self.lock:
            return self.lock.wait_for(lambda: condition(self.seen), timeout)

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        buffer = b""
        with connection:
            try:
                while True:
                    while b"\r\n\r\n" not in buffer:
                        if not (piece := self._read(connection)):
                            return
                        buffer += piece
                    head, _, buffer = buffer.partition(b"\r\n\r\n")
                    seen = Seen(head)
                    with self.lock:
                        self.seen.append(seen)
                        early = self.early.pop(0) if self.early else None
                        self.lock.notify_all()
                    if early and not self._answer(connection, early, seen):
                        return
                    while (length := _end(seen, buffer)) is None:
                        if not (piece := self._read(connection)):
                            seen.body = buffer
                            return
                        buffer += piece
                    seen.body, buffer = buffer[:length], buffer[length:]
                    with self.lock:
                        seen.is_whole = True
                        answer = PLAIN if early is None else None
                        if early is None and self.answers:
                            answer = self.answers.pop(0)
                        self.lock.notify_all()
                    if answer and not self._answer(connection, answer, seen):
                        return
            except OSError:
                return

    def _read(self, connection):
        piece = connection.recv(1 << 20)
        with self.lock:
            self.bytes += len(piece)
        return piece

    @staticmethod
    def _answer(connection, answer, seen):
        if callable(answer):
            return answer(connection, seen)
        connection.sendall(answer)
        return True


def _end(seen, buffer):
    """Where the body ends; none where more of it is to come."""
    if (length := seen.get("content-length")) is not None:
        return int(length) if len(buffer) >= int(length) else None
    if seen.get("transfer-encoding") is None:
        return 0
    at = 0
    while (line := buffer.find(b"\r\n", at)) >= 0:
        size = int(buffer[at:line], 16)
        at = line + 2 + size + 2
        if size == 0:
            return at if len(buffer) >= at else None
    return None
