/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What floor.bpf.c counts; the order is the order in which floor prints it. */
#pragma once

enum packet_count { PACKETS_IN, PACKETS_IN_DATA, PACKETS_OUT, PACKETS_OUT_DATA, PACKET_COUNTS };
