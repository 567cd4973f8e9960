/* SPDX-License-Identifier: MIT */
/* Marks a large array that is written before it is read: zeroing leaves it. */
#ifndef BASE_UNINITIALIZED_H
#define BASE_UNINITIALIZED_H

#ifdef __has_attribute
#if __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef UNINITIALIZED
#define UNINITIALIZED
#endif

#endif
