/* SPDX-License-Identifier: MIT */
/* What FastCGI 1.0 has a peer's records mean: requests begun, parameters, the end of STDIN, management. */
#ifndef FASTCGI_PROTOCOL_H
#define FASTCGI_PROTOCOL_H

#include "fastcgi/peer.h"

/*
 * Acts on the records in bytes until one is not whole, a reply blocks, or the peer is closed. Returns how
 * many bytes are done with.
 */
size_t protocol_take_records(struct peer *peer, const unsigned char *bytes, size_t length);

#endif
