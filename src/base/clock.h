/* SPDX-License-Identifier: MIT */
/* Tells the time that never jumps. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC, which is also the clock of libuv's loops; equal in all processes of a machine. */
int64_t clock_ms(void);

#endif
