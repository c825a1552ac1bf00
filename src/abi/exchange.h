// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The record of an exchange: a request turn and the response turn that answers it, as one end saw
 * them. Emitted once when the exchange ends; snapshots of the same exchange may come before. */
#pragma once

#include "abi/record.h"

enum exchange_kind {
	RECORD_EXCHANGE, /* struct exchange, then request_head + response_head bytes */
	RECORD_PAYLOAD,  /* struct payload, then its bytes: a connection in follow mode */
	RECORD_SILENT,   /* struct silent: a requester that leaves its exchanges to the other end */
	RECORD_FRAME,    /* struct frame_record, then its bytes: a packet, where these are kept */
};

enum role { ROLE_UNKNOWN, ROLE_REQUESTER, ROLE_RESPONDER };

/* Why the record was made. */
enum exchange_end {
	END_NEXT,  /* the requester's next bytes */
	END_FIN,   /* the responder's FIN */
	END_CLOSE, /* the socket went to TCP_CLOSE */
	END_SWEEP, /* it has not ended: a snapshot */
};

enum exchange_flag {
	EX_MIDWAY = 1 << 0,   /* the connection was older than the tap: its start is missing */
	EX_GAP = 1 << 1,      /* bytes of a head were never seen */
	EX_RESET = 1 << 2,    /* RST seen, either way */
	EX_STREAM = 1 << 3,   /* both directions flow without waiting: counted, not paired */
	EX_OVERLAP = 1 << 4,  /* bytes of one turn crossed the other on the way */
	EX_FOLLOWED = 1 << 5, /* the payload of this connection comes as RECORD_PAYLOAD */
	EX_LOCAL = 1 << 6,    /* on loopback: the other end is on this host, and keeps the heads */
	EX_REQ_FIN = 1 << 7,  /* the requester sent FIN */
	EX_RSP_FIN = 1 << 8,  /* the responder sent FIN */
};

/* Heads of one exchange, request first, share this many bytes. */
#define HEADS_MAX         432
#define REQUEST_HEAD_MAX  304
#define RESPONSE_HEAD_MAX 192
/* Enough to tell the last chunk of a chunked body: CRLF 0 CRLF CRLF. */
#define TAIL_LEN 8

/* Times are CLOCK_MONOTONIC ns, 0: did not happen. */
struct exchange {
	struct record r;
	u64 cookie; /* socket cookie: with number it names the exchange at this end */
	u64 request_first_ns, request_last_ns;
	u64 response_first_ns, response_last_ns;
	u64 read_ns; /* responder: the first read after the request's first bytes arrived; void if
			before these */
	u64 request_bytes, response_bytes; /* sequence spans */
	u64 now_ns;                        /* when this record was made */
	u32 number;                        /* of the exchange on this socket, from 0 */
	u32 join_seq, join_ack; /* the request's first sequence number, and the other way's next */
	u32 connect_us;         /* of a requester: SYN to ESTABLISHED; 0: not known */
	u32 srtt_us;
	u32 retransmits;
	u16 flags;
	u8 role, end;
	u16 request_head, response_head; /* bytes that follow this struct */
	struct owner owner;
	u8 local[16], remote[16];    /* IPv4 as IPv4-mapped */
	u16 local_port, remote_port; /* host order */
	u32 first_seq, first_ack;    /* the connection's first sequence numbers; 0: not known */
	u32 loopback;                /* 1: the other end is on this host too */
	u8 tail[TAIL_LEN]; /* the response's last bytes, where it is longer than its captured head
			    */
};
ABI_SIZE(struct exchange, 208);

#define PAYLOAD_MAX 1024

/* What user space tells the tap of a connection, by socket cookie. */
enum mark {
	MARK_FOLLOW = 1, /* emit its payload */
	MARK_SILENT,     /* of a requester on loopback: leave exchanges to the responder's end */
	MARK_STREAM,     /* count its bytes and pair nothing */
};

/* One run of bytes of a followed connection. */
struct payload {
	struct record r;
	u64 cookie;
	u64 now_ns;
	u32 number; /* the exchange that was going on */
	u32 seq, ack;
	u32 length; /* of the run; only captured bytes of it follow this struct */
	u16 captured;
	u8 request; /* 1: requester to responder */
	u8 pad[5];
};
ABI_SIZE(struct payload, 48);

/* A requester on loopback that is tracked no longer, from the exchange on that begins now: whose it
 * is. Again when that changes, and when the socket is closed. */
struct silent {
	struct record r;
	u64 cookie;
	u64 now_ns;
	u32 closed; /* 1: the socket went to TCP_CLOSE */
	u32 pad;
	struct owner owner;
};
ABI_SIZE(struct silent, 72);

#define FRAME_KEPT_MAX 512 /* bytes of a packet that are copied: its headers, and a head */

/* A packet with payload, FIN or RST of a followed connection. */
struct frame_record {
	struct record r;
	u64 cookie;
	u64 now_ns;
	u32 number; /* the exchange that was going on, or over */
	u32 length; /* of the packet, from the first byte that follows; captured of them do */
	u32 captured;
	u32 interface; /* its index; 0: at a socket, and the bytes begin at the IP header */
	u8 ethernet;   /* 1: the bytes begin at an Ethernet header; else at the IP header */
	u8 type;       /* PACKET_HOST and so on of linux/if_packet.h */
	u8 pad[6];
};
ABI_SIZE(struct frame_record, 48);
