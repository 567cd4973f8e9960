# SPDX-License-Identifier: MIT
"""Other web servers before authentik's stand-in, each with its file of contrib/ as shipped, but for where the workers listen."""
import os
import re
import signal

import servers

SOCKET = "/run/event-matcher-fcgi/event-matcher-fcgi.sock"


class WebServer(servers.Process):
    """A site of authentik's alone, and our file in it; extra is said in it beside."""

    KEEPS = False  # its connections to the workers

    def __init__(self, directory, authentik, workers, without="no such line"):
        self.socket, self.authentik = self.address(directory), authentik
        self.ours = directory / os.path.basename(self.SHIPPED)
        text = (servers.ROOT / "contrib" / self.SHIPPED).read_text()
        text = self.prepare(re.sub(".*%s.*\n" % without, "", text))
        self.ours.write_text(text.replace(SOCKET, workers).replace("127.0.0.1:9443", authentik.https))
        conf = directory / self.NAME
        conf.write_text(self.SITE.format(socket=self.socket, directory=directory, ours=self.ours, https=authentik.https, http=authentik.http,
                                         port=authentik.https.split(":")[1], http_port=authentik.http.split(":")[1], lines=self.lines(text), address=":".join(map(str, self.socket))))
        for path in (conf, self.ours):
            path.chmod(0o644)
        super().__init__([part.format(conf=conf, ours=self.ours, directory=directory) for part in self.COMMAND], directory, self.NAME,
                         {"HOME": str(directory), "XDG_DATA_HOME": str(directory), "XDG_CONFIG_HOME": str(directory)})
        self.wait_ready(lambda: servers.connects(self.socket), self.NAME)

    def address(self, directory):
        return str(directory / "site.sock")

    def prepare(self, text):
        """The file as its reader makes it his own, beyond where the workers and authentik are."""
        return text

    def lines(self, text):
        """What the file says is to go elsewhere."""
        return ""


class HAProxy(WebServer):
    KEEPS = True
    SHIPPED, NAME, COMMAND = "haproxy/event-matcher.cfg", "haproxy.cfg", ["haproxy", "-db", "-f", "{conf}", "-f", "{ours}"]
    expected_code = -signal.SIGTERM
    SITE = """
defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
frontend sso
    bind unix@{socket} mode 0666
{lines}
    default_backend authentik
backend authentik
    server authentik {https} ssl verify none
"""

    def lines(self, text):
        return re.search(r"^#( +use_backend .*)$", text, re.M).group(1)


class HAProxyCluster(HAProxy):
    """With the file for several hosts, of which there are two here that nobody is at, and authentik behind them."""

    SHIPPED = "haproxy/cluster.cfg"

    def prepare(self, text):
        return text.replace("#server authentik", "server authentik").replace("10.0.0.11:9000", "127.0.0.1:1").replace("10.0.0.12:9000", "127.0.0.2:1")

    def lines(self, text):
        return super().lines((servers.ROOT / "contrib" / HAProxy.SHIPPED).read_text())


class Apache(WebServer):
    KEEPS = True
    SHIPPED, NAME, COMMAND = "apache/event-matcher.conf", "apache2.conf", ["apache2", "-D", "FOREGROUND", "-f", "{conf}"]
    SITE = """
ServerName sso.example
ServerRoot {directory}
PidFile {directory}/apache2.pid
DefaultRuntimeDir {directory}
ErrorLog "|/bin/cat"
Listen {address}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
LoadModule proxy_fcgi_module /usr/lib/apache2/modules/mod_proxy_fcgi.so
LoadModule proxy_balancer_module /usr/lib/apache2/modules/mod_proxy_balancer.so
LoadModule lbmethod_byrequests_module /usr/lib/apache2/modules/mod_lbmethod_byrequests.so
LoadModule slotmem_shm_module /usr/lib/apache2/modules/mod_slotmem_shm.so
LoadModule rewrite_module /usr/lib/apache2/modules/mod_rewrite.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
MaxKeepAliveRequests 0
<VirtualHost *>
    Include {ours}
    SSLProxyEngine On
    SSLProxyCheckPeerName off
    ProxyPreserveHost On
    ProxyPass / https://{https}/
</VirtualHost>
"""

    def address(self, directory):
        return "127.0.0.1", servers.free_port()


class Lighttpd(WebServer):
    SHIPPED, NAME, COMMAND = "lighttpd/event-matcher.conf", "lighttpd.conf", ["lighttpd", "-D", "-f", "{conf}"]
    end_signal = signal.SIGINT
    SITE = """
server.modules = ("mod_fastcgi", "mod_proxy")
server.document-root = "{directory}"
server.bind = "{socket}"
include "{ours}"
proxy.server = ("" => (("host" => "127.0.0.1", "port" => {http_port})))
"""


class Caddy(WebServer):
    SHIPPED, NAME, COMMAND = "caddy/event-matcher.caddy", "Caddyfile", ["caddy", "run", "--config", "{conf}", "--adapter", "caddyfile"]
    SITE = """
{{
	admin off
	auto_https off
}}
import {ours}
(authentik) {{
	reverse_proxy https://{https} {{
		transport http {{
			tls_insecure_skip_verify
		}}
	}}
}}
http://sso.example {{
	bind unix/{socket}
	import event_matcher
	import authentik
}}
"""


ALL = {"haproxy": HAProxy, "apache": Apache, "lighttpd": Lighttpd, "caddy": Caddy}
