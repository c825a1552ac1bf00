// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Whether a filter asks for a port by its number.
 * What a tool leaves out unless it is asked for, such as its own terminal's SSH, depends on that.
 */
#pragma once

#include "filter/compile.h"

/* Does p compare two bytes of a packet, as they are, with this number? So `port 22`, `dst port ssh`
 * and `not port 22` name port 22, but neither `portrange 20-25` nor `vlan 22` does. */
bool filter_names_port(const struct filter_program *p, uint16_t port);
