/* SPDX-License-Identifier: MIT */
/* Starts threads for one that cannot: in a sandbox of their own, wider than its. */
#ifndef POOL_SPAWNER_H
#define POOL_SPAWNER_H

#include "settings.h"
#include "postgres/connection.h"

#include <stdbool.h>
#include <uv.h>

/* One at a time is asked for a thread, by the thread that has started the spawner. */
struct spawner {
	struct connection_threads threads; /* for a loop's data */
	const struct settings *settings;
	uv_thread_t thread;
	uv_sem_t asked, answered;
	uv_thread_t *wanted; /* where the new thread's name goes */
	uv_thread_cb run;    /* NULL: the spawner is to end */
	void *argument;
	int result; /* of the last that was asked for: 0 or libuv's error */
};

/*
 * Starts the spawner, before the caller enters its own sandbox; the settings must outlive it.
 * Without a sandbox its threads are started directly. False with the reason in the log; then the
 * process is to end.
 */
bool spawner_start(struct spawner *spawner, const struct settings *settings);

/* Ends the spawner; the threads that it has started go on. */
void spawner_stop(struct spawner *spawner);

#endif
