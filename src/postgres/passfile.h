/* SPDX-License-Identifier: MIT */
/* Looks at the password file before libpq does, which writes of a bad one to standard error. */
#ifndef POSTGRES_PASSFILE_H
#define POSTGRES_PASSFILE_H

/* A path that no file has: libpq reads none by it, and says nothing. */
extern const char passfile_none[];

/*
 * Would libpq refuse the password file that a connection string, or the environment, names, or the one at home? Then that
 * is logged, once, and passfile_none is returned, to be given to libpq instead; else NULL.
 */
const char *passfile_instead(const char *conninfo);

#endif
