/* SPDX-License-Identifier: MIT */
/*
 * Preloaded, lets one allocation fail: FAIL_MALLOC is its number from main on. FAIL_MALLOC_FILE is a file of a long
 * that is that number instead, counted down to 0, and may be set anew at any time.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

typedef int start_main(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
    void (*)(void), void *);

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

static atomic_long own;
static atomic_long *left = &own; /* until the one that fails; 0: none does */
static int (*real_main)(int, char **, char **);

/* The test's own file: what it writes there is seen at once. */
static void share(const char *path)
{
	int file = open(path, O_RDWR | O_CLOEXEC);
	void *mapped = mmap(NULL, sizeof(*left), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

	if (mapped == MAP_FAILED)
		abort();
	left = mapped;
	close(file);
}

/* The libraries' own initializers have run: they allocate some thousand times. */
static int counted_main(int argc, char **argv, char **environment)
{
	const char *number = getenv("FAIL_MALLOC"), *path = getenv("FAIL_MALLOC_FILE");

	if (path)
		share(path);
	else
		atomic_store(left, number ? atol(number) : 0);
	return real_main(argc, argv, environment);
}

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
    void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
	start_main *next = (start_main *)dlsym(RTLD_NEXT, "__libc_start_main");

	real_main = main;
	return next(counted_main, argc, argv, init, fini, rtld_fini, stack_end);
}

static int fails(void)
{
	if (atomic_load(left) == 0 || atomic_fetch_sub(left, 1) != 1)
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
	return fails() ? NULL : __libc_realloc(block, size);
}
