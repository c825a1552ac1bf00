// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What count's two halves share: what packets are counted by, and the sums.
 * Both compilers include it, so neither can disagree about a byte. */
#pragma once

#include "abi/record.h"
#include "abi/wire.h"

enum count_by { BY_PROTOCOL, BY_HOST, BY_PORT, BY_CONNECTION, BY_SIZE, BY_PROCESS };

/* What of a key is known. */
enum count_known {
	KEY_IP = 1 << 0,     /* protocol is an IP protocol; else type is the EtherType */
	KEY_HOST = 1 << 1,   /* addresses */
	KEY_PORTS = 1 << 2,  /* ports */
	KEY_CLIENT = 1 << 3, /* the client is the local end; by process only */
};

/* Of the two ends the one with the lower port is taken for the server. What a key does not count by
 * is 0. */
struct count_key {
	u64 client[2], server[2]; /* network order, IPv4 as IPv4-mapped; by host: server */
	u16 client_port, server_port;
	u16 type; /* by size: the power of two */
	u8 protocol;
	u8 known;
};
ABI_SIZE(struct count_key, 40);

struct count_sum {
	u64 packets, bytes;
};

#define COUNT_KEYS 65536 /* that have a sum each; what finds no room is counted apart */

/* Sums by IP protocol are an array, and behind them stands what found no room in the hash. */
#define COUNT_NO_ROOM  256
#define COUNT_PROTOCOL 257
