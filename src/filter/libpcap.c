// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Calls of libpcap. Debian's archive of it needs libraries that have no archives, so `make static`
 * compiles this file with NO_PCAP, which leaves one sentence. */
#include <stdio.h>

#include "filter/libpcap.h"

#ifdef NO_PCAP

int libpcap_compile(const char *expr, const struct filter_link *link, struct filter_program *out,
		    char *message, size_t size)
{
	(void)expr;
	(void)link;
	(void)out;
	(void)snprintf(message, size,
		       "this static build has no pcap filters: use the normal build");
	return -ENOTSUP;
}

bool libpcap_accepts(const char *expr, const struct filter_link *link)
{
	(void)expr;
	(void)link;
	return false;
}

/* Without a compiler there is no program to run or show. */
uint32_t libpcap_run(const struct filter_program *p, const void *packet, uint32_t length,
		     uint32_t captured)
{
	(void)p;
	(void)packet;
	(void)length;
	(void)captured;
	return 0;
}

const char *libpcap_line(const struct sock_filter *insn, unsigned i)
{
	(void)insn;
	(void)i;
	return "";
}

#else

#include <pcap/pcap.h>

static void close_pcap(pcap_t **p)
{
	if (*p)
		pcap_close(*p);
}

static void free_code(struct bpf_program *code)
{
	pcap_freecode(code);
}

/* A file's header says LINKTYPE_RAW, or DLT_RAW of the system that wrote it (12, or 14 of OpenBSD),
 * where libpcap, inside, has DLT_RAW of this one; the other types of packets that we read have one
 * number (pcap-linktype(7)). */
static int dlt_of(unsigned linktype)
{
	return linktype == 101 || linktype == 12 || linktype == 14 ? DLT_RAW : (int)linktype;
}

/*
 * An activated handle on an Ethernet. libpcap 1.10.3 sets BPF_SPECIAL_VLAN_HANDLING, by which
 * gen_vlan() (gencode.c) looks for the tag in SKF_AD_VLAN_TAG_PRESENT first and in the packet then,
 * in one place only: pcap_activate_linux (pcap-linux.c), when the kernel has
 * SKF_AD_VLAN_TAG_PRESENT. pcap_open_dead never does, and nothing public sets it. Activating opens
 * a packet socket, binds it and maps a ring; pcap_close undoes all of it, and without promiscuous
 * mode (which is not asked for) the interface is left alone. The interface must be up, so loopback,
 * an Ethernet too, is the second choice.
 */
static int open_live(const char *interface, int snaplen, pcap_t **out, char *message, size_t size)
{
	char text[PCAP_ERRBUF_SIZE] = "";
	_cleanup_(close_pcap) pcap_t *p = pcap_create(interface, text);
	int r;

	if (!p) {
		(void)snprintf(message, size, "%s: %s", interface, text);
		return -EIO;
	}
	(void)pcap_set_snaplen(p, snaplen);
	(void)pcap_set_buffer_size(p, 1 << 16);
	r = pcap_activate(p);
	if (r < 0) {
		(void)snprintf(message, size, "%s: %s: %s", interface, pcap_statustostr(r),
			       pcap_geterr(p));
		return r == PCAP_ERROR_PERM_DENIED ? -EPERM : -EIO;
	}
	if (pcap_datalink(p) != DLT_EN10MB) {
		(void)snprintf(message, size, "%s: not an Ethernet", interface);
		return -EIO;
	}
	*out = TAKE_PTR(p);
	return 0;
}

static int open_handle(const char *expr, const struct filter_link *link, pcap_t **out,
		       char *message, size_t size)
{
	int r, dlt = dlt_of(link->type), snaplen = (int)MIN(link->snaplen, 262144U);

	/* Other expressions compile alike, and work on an interface that is down too. */
	if (link->live && dlt == DLT_EN10MB && strstr(expr, "vlan")) {
		r = open_live(link->live, snaplen, out, message, size);
		return r == -EIO ? open_live("lo", snaplen, out, message, size) : r;
	}
	*out = pcap_open_dead(dlt, snaplen);
	if (*out)
		return 0;
	(void)snprintf(message, size, "out of memory");
	return -ENOMEM;
}

/* For `broadcast` on IPv4; without an address every network mask is as wrong as another. */
static bpf_u_int32 netmask_of(const char *interface)
{
	char text[PCAP_ERRBUF_SIZE];
	bpf_u_int32 net, mask;

	if (!interface || pcap_lookupnet(interface, &net, &mask, text))
		return PCAP_NETMASK_UNKNOWN;
	return mask;
}

static int copy_code(const struct bpf_program *code, struct filter_program *out, char *message,
		     size_t size)
{
	_Static_assert(sizeof(struct bpf_insn) == sizeof(struct sock_filter), "one layout");
	struct sock_filter *insns = calloc(MAX(code->bf_len, 1U), sizeof(*insns));

	if (!insns) {
		(void)snprintf(message, size, "out of memory");
		return -ENOMEM;
	}
	memcpy(insns, code->bf_insns, code->bf_len * sizeof(*insns));
	*out = (struct filter_program){insns, code->bf_len};
	return 0;
}

int libpcap_compile(const char *expr, const struct filter_link *link, struct filter_program *out,
		    char *message, size_t size)
{
	_cleanup_(free_code) struct bpf_program code = {0};
	_cleanup_(close_pcap) pcap_t *p = NULL;
	int r = open_handle(expr, link, &p, message, size);

	if (r)
		return r;
	if (pcap_compile(p, &code, expr, 1, netmask_of(link->live))) {
		(void)snprintf(message, size, "%s", pcap_geterr(p));
		return -EINVAL;
	}
	return copy_code(&code, out, message, size);
}

bool libpcap_accepts(const char *expr, const struct filter_link *link)
{
	_cleanup_(free_code) struct bpf_program code = {0};
	_cleanup_(close_pcap) pcap_t *p = pcap_open_dead(dlt_of(link->type), 262144);

	return p && pcap_compile(p, &code, expr, 0, 0) == 0;
}

uint32_t libpcap_run(const struct filter_program *p, const void *packet, uint32_t length,
		     uint32_t captured)
{
	return bpf_filter((const struct bpf_insn *)p->insns, packet, length, captured);
}

const char *libpcap_line(const struct sock_filter *insn, unsigned i)
{
	return bpf_image((const struct bpf_insn *)insn, (int)i);
}

#endif
