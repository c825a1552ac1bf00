// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Names of IP protocols and EtherTypes, as their registries have them.
 * Every tool that shows packets shows them by these words. */
#pragma once

#include "base/text.h"

/* "TCP" for 6, or NULL: the number has no keyword. */
const char *ip_protocol_name(uint8_t protocol);

/* "ARP" for 0x0806 (host order), or NULL. */
const char *ethertype_name(uint16_t type);

/* What a packet is called: if it is IP by protocol, else by its EtherType, and where that has no
 * name by its number, written into room. Empty: neither is known (type 0). */
#define PROTOCOL_WORD 8
struct text protocol_word(bool is_ip, uint8_t protocol, uint16_t type, char room[PROTOCOL_WORD]);
