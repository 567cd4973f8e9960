# SPDX-License-Identifier: MIT
"""A FastCGI client that sends exactly the records it is told to, well formed or not."""
import socket
import struct

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, GET_VALUES_RESULT, UNKNOWN_TYPE = range(1, 12)
RESPONDER, KEEP = 1, 1
COMPLETE, CANT_MPX, OVERLOADED, UNKNOWN_ROLE = range(4)

URI = "/api/v3/policies/event_matcher/{}/"


def record(kind, content=b"", id=1, padding=0, version=1):
    return struct.pack(">BBHHBx", version, kind, id, len(content), padding) + content + b"\xaa" * padding


def begin(id=1, role=RESPONDER, flags=KEEP):
    return record(BEGIN, struct.pack(">HB5x", role, flags), id)


def length(number):
    return struct.pack(">B", number) if number < 128 else struct.pack(">I", number | 1 << 31)


def pairs(parameters):
    encoded = b""
    for name, value in parameters:
        name, value = (text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text for text in (name, value))
        encoded += length(len(name)) + length(len(value)) + name + value
    return encoded


def stream(kind, content, id=1, piece=65535):
    """The records of a stream, and the empty one that ends it."""
    cut = [content[at:at + piece] for at in range(0, len(content), piece)]
    return b"".join(record(kind, part, id, padding=-len(part) % 8) for part in cut) + record(kind, id=id)


def request(parameters, id=1, flags=KEEP, body=b"", piece=65535):
    return begin(id, flags=flags) + stream(PARAMS, pairs(parameters), id, piece) + stream(STDIN, body, id)


def parameters(uri, method="GET", headers=()):
    named = [("HTTP_" + name.upper().replace("-", "_"), value) for name, value in headers]
    return [("REQUEST_METHOD", method), ("REQUEST_URI", uri)] + named


class Reply:
    def __init__(self, out, protocol_status):
        self.raw, self.protocol_status = out, protocol_status
        head, _, self.body = out.partition(b"\r\n\r\n")
        lines = [line.split(b": ", 1) for line in head.split(b"\r\n")] if head else []
        self.headers = {name.decode().lower(): value.decode() for name, value in lines}
        self.status = int(self.headers.get("status", "0").split()[0])


class Connection:
    """One connection to the workers, at a path or at (host, port), kept until it is closed."""

    def __init__(self, path, timeout=60):
        self.socket = socket.socket(socket.AF_INET if isinstance(path, tuple) else socket.AF_UNIX)
        # A socket that does not block, as one with Python's timeout, is refused where the queue is full.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", timeout, 0))
        self.socket.connect(path)
        self.socket.settimeout(timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def fileno(self):
        return self.socket.fileno()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError("closed after %d of %d bytes" % (len(data), size))
            data += more
        return data

    def record(self):
        version, kind, id, size, padding = struct.unpack(">BBHHBx", self.receive(8))
        content, rest = self.receive(size), self.receive(padding)
        assert version == 1 and rest == bytes(padding), "padding leaks"
        return kind, id, content

    def reply(self, id=1):
        out = b""
        while True:
            kind, got, content = self.record()
            assert got == id, (got, id, kind, content)
            if kind == STDOUT:
                out += content
            elif kind == END:
                return Reply(out, content[4])

    def ask(self, uri, key=None, method="GET", headers=(), **options):
        if key is not None:
            headers = [*headers, ("Authorization", key if isinstance(key, bytes) else "Bearer " + key)]
        self.send(request(parameters(uri, method, headers), **options))
        return self.reply(options.get("id", 1))

    def is_closed(self):
        """Waits for the peer's end of file; False where a byte comes instead."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def ask(path, uri, key=None, **options):
    with Connection(path) as connection:
        return connection.ask(uri, key, **options)


def ask_parameters(path, given, **options):
    with Connection(path) as connection:
        connection.send(request(given, **options))
        return connection.reply()
