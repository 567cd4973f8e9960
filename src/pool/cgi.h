/* SPDX-License-Identifier: MIT */
/* Plain CGI (RFC 3875): a request from the environment, a response on stdout. */
#ifndef POOL_CGI_H
#define POOL_CGI_H

#include "settings.h"

/*
 * Answers the request and returns the process's exit code: 0, or 1 where the response could not
 * be made or written.
 */
int cgi_run(const struct settings *settings);

#endif
