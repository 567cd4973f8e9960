# SPDX-License-Identifier: MIT
"""An HTTP client that sends exactly the bytes it is told to, over a unix socket, or to a host and port."""
import http.client
import socket


class Connection:
    def __init__(self, path, timeout=60):
        self.socket = socket.socket(socket.AF_UNIX if isinstance(path, str) else socket.AF_INET)
        self.socket.settimeout(timeout)
        self.socket.connect(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, method, path, headers=(), body=None, host="test"):
        lines = [("%s %s HTTP/1.1" % (method, path)).encode(), b"Host: " + host.encode()]
        lines += [("%s: %s" % (name, value)).encode("utf-8") for name, value in headers]
        if body is not None:
            lines.append(b"Content-Length: %d" % len(body))
        self.socket.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + (body or b""))
        response = http.client.HTTPResponse(self.socket, method=method)
        response.begin()
        response.content = response.read()
        return response


def ask(path, method, target, headers=(), body=None, host="test"):
    with Connection(path) as connection:
        return connection.ask(method, target, headers, body, host)
