// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Compiling a filter expression, and saying where it is wrong.
 * libpcap compiles; what it does not say, the place, is found in place.c. */
#include <stdio.h>

#include "filter/compile.h"
#include "filter/libpcap.h"
#include "filter/place.h"

/* Loads from SKF_AD_OFF on ask the kernel about the packet; a file cannot answer. */
static bool asks_kernel(const struct filter_program *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		const struct sock_filter *f = &p->insns[i];

		if (BPF_CLASS(f->code) == BPF_LD && BPF_MODE(f->code) == BPF_ABS &&
		    f->k >= (uint32_t)SKF_AD_OFF)
			return true;
	}
	return false;
}

int filter_compile(const char *expr, const struct filter_link *link, struct filter_program *out,
		   struct filter_error *err)
{
	_cleanup_(filter_program_free) struct filter_program p = {0};
	int r = libpcap_compile(expr, link, &p, err->message, sizeof(err->message));

	err->at = -1;
	if (r == -EINVAL)
		err->at = filter_place(expr, link, err->message);
	if (r)
		return r;
	if (!link->live && asks_kernel(&p)) {
		(void)snprintf(err->message, sizeof(err->message),
			       "a capture file does not say which way packets went, nor what else "
			       "only the kernel knows");
		return -ENOTSUP;
	}
	*out = p;
	p.insns = NULL;
	return 0;
}

void filter_program_free(struct filter_program *p)
{
	free(p->insns);
	*p = (struct filter_program){0};
}

void filter_error_text(struct buf *b, const char *expr, const struct filter_error *err)
{
	buf_escaped(b, text_of(err->message));
	if (err->at < 0)
		return;
	buf_str(b, "\n  ");
	buf_escaped(b, text_of(expr));
	buf_str(b, "\n  ");
	buf_fill(b, ' ', text_columns((struct text){expr, (uint32_t)err->at}));
	buf_char(b, '^');
}
