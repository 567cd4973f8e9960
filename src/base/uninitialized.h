/* SPDX-License-Identifier: MIT */
/* Marks a large array that is always written before it is read: the build's -ftrivial-auto-var-init=zero
 * leaves it. */
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
