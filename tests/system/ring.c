/* SPDX-License-Identifier: MIT */
/* Preloaded: asks for a ring of io_uring wherever a loop is made, as a newer libuv does. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int uv_loop_init(void *loop)
{
	int (*next)(void *) = (int (*)(void *))dlsym(RTLD_NEXT, "uv_loop_init");
	char parameters[120] = {0}; /* struct io_uring_params */
	long ring = syscall(SYS_io_uring_setup, 8, parameters);

	fprintf(stderr, "a ring: %s\n", ring < 0 ? strerror(errno) : "made");
	return next(loop);
}
