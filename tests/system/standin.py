# SPDX-License-Identifier: MIT
"""What stands in authentik's place behind a web server: it says what reached it, over HTTP and HTTPS, at its own pace."""
import http.server
import socketserver
import ssl
import subprocess
import threading
import time


def make_certificate(directory):
    """A certificate and its key, as two files that anybody may read."""
    paths = directory / "certificate.pem", directory / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=sso.example", "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
    for path in paths:
        path.chmod(0o644)
    return paths


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 512

    def __init__(self, authentik, context, host):
        super().__init__((host, 0), Handler)
        self.authentik, self.context = authentik, context
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def get_request(self):
        connection, address = super().get_request()
        if self.context:
            connection = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, *_):
        """Whoever leaves early is no news."""


class Authentik:
    """busy: how many requests are with it, most: how many there ever were; go: whether it answers; pause: how long it takes."""

    def __init__(self, certificate, host="127.0.0.1"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.go, self.pause, self.busy, self.most, self.asked, self.lock = threading.Event(), 0, 0, 0, [], threading.Lock()
        self.go.set()
        self.servers = [Server(self, None, host), Server(self, context, host)]
        self.http, self.https = ("%s:%d" % server.server_address for server in self.servers)

    def count(self, change):
        with self.lock:
            self.busy += change
            self.most = max(self.most, self.busy)

    def stop(self):
        self.go.set()
        for server in self.servers:
            server.shutdown()
            server.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def answer(self):
        authentik = self.server.authentik
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        authentik.asked.append((self.command, self.path))
        authentik.count(1)
        authentik.go.wait(60)
        time.sleep(authentik.pause)
        authentik.count(-1)
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self.echo()
        else:
            self.say(body)

    def status(self):
        if self.path.startswith("/outpost.goauthentik.io/"):
            return 401 if "secret" in self.headers.get("X-Original-URI", "") else 200
        return int(self.path.split("/status/")[1][:3]) if "/status/" in self.path else 200

    def say(self, body):
        headers = "".join("%s: %s\n" % pair for pair in sorted(self.headers.items()))
        text = ("authentik: %s %s\n%s\n" % (self.command, self.path, headers)).encode() + body
        self.send_response(self.status())
        for pair in (("Vary", "Accept-Language, Cookie"), ("X-Powered-By", "authentik"), ("Content-Type", "text/plain"),
                     ("Content-Length", str(len(text)))):
            self.send_header(*pair)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)
        self.wfile.flush()

    def echo(self):
        """A WebSocket as far as a proxy can tell: what is sent comes back, in capitals, until the client leaves."""
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        for line in self.rfile:
            self.wfile.write(line.upper())
            self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_OPTIONS = do_DELETE = do_TRACK = answer

    def log_message(self, *_):
        pass
