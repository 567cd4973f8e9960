/* SPDX-License-Identifier: MIT */
/* Preloaded: makes a system call in a worker where it is told so, as an attacker's code would. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

typedef ssize_t receive(int, void *, size_t, int);
typedef int connecting(int, const struct sockaddr *, socklen_t);

static const struct {
	const char *name;
	long arguments[7];
} calls[] = {
    {"execve", {SYS_execve, (long)"/bin/true"}},
    {"open", {SYS_openat, AT_FDCWD, (long)"/etc/passwd", O_RDONLY}},
    {"create",
	{SYS_openat, AT_FDCWD, (long)"/tmp/event-matcher-forbidden", O_WRONLY | O_CREAT, 0600}},
    {"unlink", {SYS_unlinkat, AT_FDCWD, (long)"/tmp/event-matcher-forbidden"}},
    {"socket", {SYS_socket, AF_INET, SOCK_STREAM}},
    {"raw", {SYS_socket, AF_INET, SOCK_RAW}},
    {"packet", {SYS_socket, AF_PACKET, SOCK_DGRAM}},
    {"connect", {SYS_connect, -1}},
    {"bind", {SYS_bind, -1, 0, sizeof(struct sockaddr_un)}},
    {"bind as systemd", {SYS_bind, -1, 0, sizeof(struct sockaddr)}},
    {"capabilities", {SYS_prctl, PR_CAPBSET_READ, 0}},
    {"keyring", {SYS_keyctl, 0, -5, 0}},
    {"listen", {SYS_listen, -1, 1}},
    {"fork", {SYS_clone, SIGCHLD}},
    {"ptrace", {SYS_ptrace, PTRACE_TRACEME}},
    {"executable", {SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1}},
    {"protect", {SYS_mprotect, 0, 4096, PROT_READ | PROT_EXEC}},
    {"dumpable", {SYS_prctl, PR_SET_DUMPABLE, 1}},
    {"kill", {SYS_kill, 1, 0}},
    {"signal", {SYS_tgkill, 1, 1, 0}},
    {"terminal", {SYS_ioctl, 0, 0x5412}},
    {"limit", {SYS_prlimit64, 1, 7, (long)"0123456789abcdef"}},
    {"memory", {SYS_process_vm_readv, 1}},
};

static void call(const char *name)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		const long *a = calls[i].arguments;

		if (strcmp(calls[i].name, name) != 0)
			continue;
		if (syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]) == 0 && a[0] == SYS_clone)
			_exit(0); /* the child */
	}
}

/* A request whose bytes hold "forbidden:NAME;" has its call made by the thread that serves. */
ssize_t recv(int descriptor, void *bytes, size_t size, int flags)
{
	static const char mark[] = "forbidden:";
	receive *next = (receive *)dlsym(RTLD_NEXT, "recv");
	ssize_t got = next(descriptor, bytes, size, flags);
	char *found = got > 0 ? memmem(bytes, (size_t)got, mark, strlen(mark)) : NULL;
	char *end = found ? memchr(found, ';', (size_t)((char *)bytes + got - found)) : NULL;

	if (end) {
		*end = '\0';
		call(found + strlen(mark));
		*end = ';';
	}
	return got;
}

/* The variable FORBIDDEN names the call that a thread makes which connects to PostgreSQL. */
int connect(int descriptor, const struct sockaddr *address, socklen_t length)
{
	connecting *next = (connecting *)dlsym(RTLD_NEXT, "connect");

	if (getenv("FORBIDDEN"))
		call(getenv("FORBIDDEN"));
	return next(descriptor, address, length);
}
