/* SPDX-License-Identifier: MIT */
/* Turns sandbox.def into filters of seccomp, and takes away what no worker needs. */
#include "pool/sandbox.h"

#include "event.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Sanitizers look at a process from outside at its end, with calls and rights of their own. */
#ifdef EVENT_MATCHER_SANITIZED
enum { SANITIZED = true };
#else
enum { SANITIZED = false };
#endif

enum { CONDITIONS_MAX = 2, SOCKET_TYPES = 0xf, INSTRUCTIONS_MAX = 2048, LIMIT_S = 10 };

struct row {
	unsigned lists; /* bits: 1 << SANDBOX_... */
	int call;
	uint32_t action;
	struct scmp_arg_cmp conditions[CONDITIONS_MAX]; /* up to one without an operator */
};

#define LOOP (1u << SANDBOX_LOOP)
#define CONNECTING (1u << SANDBOX_CONNECTING)
#define BOTH (LOOP | CONNECTING)

#define ALLOW SCMP_ACT_ALLOW
#define ERRNO SCMP_ACT_ERRNO

/* An argument, by its place: is the value, has none of the bits, has all of them. */
#define ANY
#define IS(place, value) SCMP_CMP64(place, SCMP_CMP_EQ, value, 0)
#define WITHOUT(place, bits) SCMP_CMP64(place, SCMP_CMP_MASKED_EQ, bits, 0)
#define WITH(place, bits) SCMP_CMP64(place, SCMP_CMP_MASKED_EQ, bits, bits)
#define TYPE(type) SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, SOCKET_TYPES, type)

#define CALL(lists, name, action, why, ...) {lists, SCMP_SYS(name), action, {__VA_ARGS__}},

/* Calls that this architecture has not are left out by libseccomp. Returns 0 or its error. */
static int add_row(scmp_filter_ctx filter, const struct row *row)
{
	unsigned count = 0;

	while (count < CONDITIONS_MAX && row->conditions[count].op)
		count++;
	return seccomp_rule_add_array(filter, row->action, row->call, count, row->conditions);
}

static int add_rows(scmp_filter_ctx filter, enum sandbox_list list)
{
	const struct row rows[] = {
#include "pool/sandbox.def"
	};
	int error = 0;

	for (size_t i = 0; !error && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].lists & 1u << list)
			error = add_row(filter, &rows[i]);
	return error;
}

/* The filter as the kernel takes it, into program; 0 or an error as libseccomp's. */
static int translate(
    scmp_filter_ctx filter, struct sock_filter program[INSTRUCTIONS_MAX], size_t *count)
{
	int file = memfd_create("sandbox", MFD_CLOEXEC), error = file < 0 ? -errno : 0;
	ssize_t length = 0;

	if (!error)
		error = seccomp_export_bpf(filter, file);
	if (!error)
		length = pread(file, program, INSTRUCTIONS_MAX * sizeof(*program), 0);
	if (!error && length <= 0)
		error = -EIO;
	*count = (size_t)length / sizeof(*program);
	if (file >= 0)
		close(file);
	return !error && *count == INSTRUCTIONS_MAX ? -E2BIG : error;
}

/*
 * libseccomp 2.5.4 may turn for ever where memory fails while it makes the filter (seen in a debugger):
 * then the process is ended, and its supervisor starts another.
 */
static int make_program(
    enum sandbox_list list, struct sock_filter program[INSTRUCTIONS_MAX], size_t *count)
{
	scmp_filter_ctx filter;
	int error = -ENOMEM;

	alarm(LIMIT_S);
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (filter)
		error = add_rows(filter, list);
	if (filter && !error)
		error = translate(filter, program, count);
	seccomp_release(filter);
	alarm(0);
	return error;
}

bool sandbox_is_on(const struct settings *settings)
{
	return settings->sandbox && !SANITIZED;
}

bool sandbox_enter(const struct settings *settings, enum sandbox_list list)
{
	struct sock_filter instructions[INSTRUCTIONS_MAX];
	struct sock_fprog program = {.filter = instructions};
	size_t count = 0;
	int error;

	if (!sandbox_is_on(settings))
		return true;
	tzset(); /* reads a file, and gmtime_r would do so the first time */
	error = make_program(list, instructions, &count);
	program.len = (unsigned short)count;
	if (!error && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
		error = -errno;
	if (error)
		log_event(&event_sandbox_failed,
		    "entering the sandbox: %s; sandbox = off does without", strerror(-error));
	return !error;
}

/*
 * libuv from 1.45 on watches descriptors by way of io_uring where it can. No filter sees what a ring does, so none is made:
 * libuv does without where the kernel has none. The call has the same number everywhere.
 */
static bool refuse_rings(void)
{
	struct sock_filter instructions[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
	    .len = sizeof(instructions) / sizeof(instructions[0]), .filter = instructions};

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

bool sandbox_harden(const struct settings *settings)
{
	const struct rlimit none = {0, 0};

	if (!sandbox_is_on(settings)) {
		log_event(&event_sandbox_off,
		    SANITIZED ? "built with sanitizers: there is no sandbox"
			      : "sandbox = off: a worker may make any system call");
		return true;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_DUMPABLE, 0) == 0 &&
	    setrlimit(RLIMIT_CORE, &none) == 0 && refuse_rings())
		return true;
	log_event(&event_sandbox_failed, "giving up privileges: %s; sandbox = off does without",
	    strerror(errno));
	return false;
}
