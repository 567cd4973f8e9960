/* SPDX-License-Identifier: MIT */
/* Starts threads for one that cannot: in a sandbox of their own, wider than its. */
#include "pool/spawner.h"

#include "base/list.h"
#include "event.h"
#include "pool/sandbox.h"

#include <signal.h>
#include <stddef.h>

/* Without a sandbox nothing is in the way. */
static int start_directly(
    struct connection_threads *threads, uv_thread_t *thread, uv_thread_cb run, void *argument)
{
	(void)threads;
	return uv_thread_create(thread, run, argument);
}

/* A thread inherits the filter of the one that starts it: that is what this one is for. */
static void serve(void *context)
{
	struct spawner *spawner = context;
	bool good = sandbox_enter(spawner->settings, SANDBOX_CONNECTING);

	spawner->result = good ? 0 : UV_EPERM;
	uv_sem_post(&spawner->answered);
	while (good) {
		uv_sem_wait(&spawner->asked);
		if (!spawner->run)
			return;
		spawner->result =
		    uv_thread_create(spawner->wanted, spawner->run, spawner->argument);
		uv_sem_post(&spawner->answered);
	}
}

/* Waits for the thread's start, some microseconds, and not for what it does. */
static int start_in_sandbox(
    struct connection_threads *threads, uv_thread_t *thread, uv_thread_cb run, void *argument)
{
	struct spawner *spawner = list_entry(threads, struct spawner, threads);

	spawner->wanted = thread;
	spawner->run = run;
	spawner->argument = argument;
	uv_sem_post(&spawner->asked);
	uv_sem_wait(&spawner->answered);
	return spawner->result;
}

/* Signals are for the thread that serves. */
static int start_deaf(struct spawner *spawner)
{
	sigset_t all, before;
	int result;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = uv_thread_create(&spawner->thread, serve, spawner);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return result;
}

bool spawner_start(struct spawner *spawner, const struct settings *settings)
{
	*spawner = (struct spawner){.settings = settings, .threads = {start_directly}};
	if (!sandbox_is_on(settings))
		return true;
	spawner->threads.start = start_in_sandbox;
	if (uv_sem_init(&spawner->asked, 0) != 0 || uv_sem_init(&spawner->answered, 0) != 0 ||
	    start_deaf(spawner) != 0) {
		log_event(&event_start_failed, "starting a thread: no memory, or none to be had");
		return false;
	}
	uv_sem_wait(&spawner->answered);
	return spawner->result == 0;
}

void spawner_stop(struct spawner *spawner)
{
	if (!sandbox_is_on(spawner->settings))
		return;
	spawner->run = NULL;
	uv_sem_post(&spawner->asked);
	uv_thread_join(&spawner->thread);
	uv_sem_destroy(&spawner->asked);
	uv_sem_destroy(&spawner->answered);
}
