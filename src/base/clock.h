/* SPDX-License-Identifier: MIT */
/* Tells the time that never jumps, and waits by it. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC, which is also the clock of libuv's loops; equal in all processes of a machine. */
int64_t clock_ms(void);

/* Microseconds of the same clock. */
uint64_t clock_us(void);

/*
 * Waits until the descriptor is ready for the events of poll(2), or is at its end. False with errno: ETIMEDOUT at the
 * deadline, milliseconds of clock_ms, or why it cannot be waited for. A signal does not end it.
 */
bool clock_wait(int descriptor, short events, int64_t deadline);

#endif
