# SPDX-License-Identifier: MIT
"""A container engine, where one runs: images made of Debian's packages instead of a registry's, projects that leave nothing behind."""
import fcntl
import functools
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import uuid

import servers

IMAGES = servers.ROOT / "tests" / "system" / "images"
DEBIAN = "bookworm"


@functools.cache
def absence():
    """Why there is no engine to test with, or nothing."""
    if not shutil.which("docker") or not shutil.which("docker-compose"):
        return "docker and docker-compose are not installed"
    if os.getuid() != 0 or not shutil.which("debootstrap"):
        return "the images are made by debootstrap, which takes root and that package"
    asked = subprocess.run(["docker", "version", "-f", "{{.Server.Version}}"], capture_output=True, text=True)
    return asked.returncode and "no container engine answers: %s" % asked.stderr.strip()


def docker(*arguments, **options):
    """What the command says; a failure shows both of its streams."""
    done = subprocess.run(["docker", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    assert done.returncode == 0, (arguments, done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout.strip()


def is_there(image):
    return subprocess.run(["docker", "image", "inspect", image], capture_output=True).returncode == 0


def sum_of(*texts):
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def build(context, tag, *options, **arguments):
    """Builds an image; arguments are those of its ARGs."""
    docker("build", "-q", "-t", tag, *options, *[word for name, value in arguments.items() for word in ("--build-arg", name + "=" + value)],
           context, env={**os.environ, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"})


def make_debian(tag):
    """A bare Debian, as the public image of it is."""
    with tempfile.TemporaryDirectory() as root:
        subprocess.run(["debootstrap", "--variant=minbase", DEBIAN, root], check=True, capture_output=True)
        pathlib.Path(root, "etc/dpkg/dpkg.cfg.d/image").write_text("force-unsafe-io\npath-exclude /usr/share/doc/*\npath-exclude /usr/share/man/*\n")
        leave_out = ["--exclude=" + path for path in ("./var/cache/apt/*", "./var/lib/apt/lists/*", "./usr/share/doc/*", "./usr/share/man/*", "./dev/*")]
        with subprocess.Popen(["tar", "-C", root, *leave_out, "-c", "."], stdout=subprocess.PIPE) as tar:
            docker("import", "-", tag, stdin=tar.stdout)


class Images:
    """What the Compose files start, by the variables that name it. What takes long stays in the engine, by a sum of what it is
    made of; what is made of this tree goes with the run."""

    def __init__(self):
        self.run = "event-matcher-test/run-" + uuid.uuid4().hex[:8]
        recipe = "".join(path.read_text() for path in (IMAGES / "Dockerfile", IMAGES / "entrypoint.sh"))
        self.debian = "event-matcher-test/debian:" + sum_of(DEBIAN, pathlib.Path(__file__).read_text().split("def make_debian")[1].split("class ")[0])
        self.standin = "event-matcher-test/standin:" + sum_of(self.debian, recipe)
        stages = (servers.ROOT / "Dockerfile").read_text().split("AS build")[0] + (servers.ROOT / "scripts" / "libpq").read_text()
        self.stages = {name: "event-matcher-test/%s:%s" % (name, sum_of(self.debian, stages)) for name in ("runtime", "tools")}
        self.program, self.made = self.run + ":latest", []

    def make(self):
        with open("/tmp/event-matcher-test.lock", "a") as lock:  # another run makes the same
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_there(self.debian):
                make_debian(self.debian)
            if not is_there(self.standin):
                build(IMAGES, self.standin, DEBIAN=self.debian)
            self.build_program()

    def build_program(self):
        for target, tag in (*self.stages.items(), ("build", self.run + ":build")):
            build(servers.ROOT, tag, "--target", target, DEBIAN=self.debian)
        build(servers.ROOT, self.program, DEBIAN=self.debian)
        self.made += [self.program, self.run + ":build"]

    def newer(self):
        """Another image takes the program's name, as after a change of it; returns which."""
        subprocess.run(["docker", "build", "-q", "-t", self.program, "-"], input="FROM %s\nLABEL newer=%s\n" % (self.program, uuid.uuid4()),
                       check=True, capture_output=True, text=True)
        self.made.append(docker("image", "inspect", "-f", "{{.Id}}", self.program))
        return self.made[-1]

    def variables(self):
        name, tag = self.standin.split(":")
        return {"DEBIAN_IMAGE": self.debian, "POSTGRES_IMAGE": self.standin, "NGINX_IMAGE": self.standin, "EVENT_MATCHER_IMAGE": self.program,
                "AUTHENTIK_IMAGE": name, "AUTHENTIK_TAG": tag}

    def remove(self):
        first = self.made[:1]
        for image in [*reversed(self.made[1:]), *first]:
            subprocess.run(["docker", "image", "rm", "-f", image], capture_output=True)


class Project:
    """A project of docker-compose by a name of its own, in a directory; run() runs a shell's commands in it."""

    def __init__(self, directory, images):
        self.directory, self.port, self.name = directory, servers.free_port(), "emtest" + uuid.uuid4().hex[:8]
        self.environment = {**os.environ, **images.variables(), "COMPOSE_PROJECT_NAME": self.name, "EVENT_MATCHER_PORT": str(self.port)}

    def run(self, commands):
        done = subprocess.run(["bash", "-euc", commands], cwd=self.directory, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, text=True, timeout=180)
        assert done.returncode == 0, (commands, done.stdout[-2000:], done.stderr[-3000:], self.logs())
        return done.stdout

    def containers(self, service="event-matcher", **filters):
        named = ["label=com.docker.compose.project=" + self.name, "label=com.docker.compose.service=" + service, *["%s=%s" % pair for pair in filters.items()]]
        return docker("ps", "-q", *[word for name in named for word in ("--filter", name)]).split()

    def wait_healthy(self, count):
        servers.wait_until(lambda: len(self.containers(health="healthy")) == count == len(self.containers()), "%d healthy containers" % count, 90)

    def logs(self):
        return subprocess.run(["docker-compose", "logs", "--no-color", "--tail=20"], cwd=self.directory, env=self.environment, capture_output=True, text=True).stdout

    def left(self):
        """What there still is of the project."""
        kinds = (("container", "-a"), ("volume",), ("network",))
        return [docker(kind, "ls", "-q", *options, "--filter", "label=com.docker.compose.project=" + self.name) for kind, *options in kinds]

    def remove(self):
        """Whatever a failure has left."""
        containers, volumes, networks = self.left()
        for kind, options, ids in (("container", ["-f", "-v"], containers), ("volume", ["-f"], volumes), ("network", [], networks)):
            if ids:
                subprocess.run(["docker", kind, "rm", *options, *ids.split()], capture_output=True)


def commands(section):
    """The commands of a section of docs/compose.md, a block each."""
    text = re.search(r"^## %s\n(.*?)(?=^## |\Z)" % section, (servers.ROOT / "docs" / "compose.md").read_text(), re.S | re.M).group(1)
    return re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M)
