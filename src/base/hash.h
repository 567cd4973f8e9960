/* SPDX-License-Identifier: MIT */
/* Hashes bytes by FNV-1a of 64 bits (the IETF's draft-eastlake-fnv). */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What a hash starts from, and is multiplied by. */
#define HASH_START UINT64_C(14695981039346656037)
#define HASH_PRIME UINT64_C(1099511628211)

/* The hash with these bytes behind those before. Who wants to can make two texts collide. */
static inline uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t length)
{
	const unsigned char *byte = bytes;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ byte[i]) * HASH_PRIME;
	return hash;
}

/* The same, for tables in which 0 is a free place. */
static inline uint64_t hash_not_zero(uint64_t hash)
{
	return hash ? hash : 1;
}

#endif
