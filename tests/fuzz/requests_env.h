// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The user side of `requests` without its kernel side: a session that prints to /dev/null in every
 * format, so that each text of each row is read. */
#pragma once

#include <assert.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

/* So small that it is full at once. */
#define STORE_BYTES   4096u
#define EXCHANGES_MAX 6
#include "tools/requests/frames.c"

#include "tools/requests/alone.c"
#include "tools/requests/by.c"
#include "tools/requests/calls.c"
#include "tools/requests/notes.c"
#include "tools/requests/pipeline.c"
#include "tools/requests/row.c"
#include "tools/requests/told.c"

#define ENV_FORMATS 3

struct session {
	struct requests *requests;
	struct common common;
	struct filter filter;
	struct output *out[ENV_FORMATS];
	uint64_t rows;
};

static struct session env_session;

void *session_state(struct session *s)
{
	return s->requests;
}

const struct common *session_common(const struct session *s)
{
	return &s->common;
}

const struct filter *session_filter(const struct session *s)
{
	return &s->filter;
}

struct output *session_output(struct session *s)
{
	return s->out[0];
}

bool session_where(const struct session *s, const struct row *row)
{
	(void)s;
	(void)row;
	return true;
}

int session_row(struct session *s, const struct row *row)
{
	s->rows++;
	for (int i = 0; i < ENV_FORMATS; i++)
		(void)output_row(s->out[i], row);
	return 0;
}

int session_group(struct session *s, const struct row *row)
{
	return session_row(s, row);
}

int64_t session_wall(const struct session *s, uint64_t mono_ns)
{
	(void)s;
	return (int64_t)(mono_ns % INT64_MAX);
}

int session_fail(struct session *s, int error, const char *format, ...)
{
	(void)s;
	(void)format;
	return error;
}

uint64_t session_counter(const struct session *s, enum counter c)
{
	(void)s;
	(void)c;
	return 0;
}

int bpf_map__set_max_entries(struct bpf_map *map, __u32 n)
{
	(void)map;
	(void)n;
	return 0;
}

__u32 bpf_map__max_entries(const struct bpf_map *map)
{
	(void)map;
	return 0;
}

void ledger_line(struct buf *b, const char *name, uint64_t value, const char *help)
{
	(void)help;
	buf_printf(b, "%s %llu", name, (unsigned long long)value);
}

int wire_names_open(struct session *s, struct wire_names **out)
{
	(void)s;
	*out = NULL;
	return 0;
}

void wire_names_free(struct wire_names *w)
{
	(void)w;
}

const char *wire_names_of(struct wire_names *w, unsigned index, uint64_t now_ns)
{
	(void)w;
	(void)now_ns;
	return index & 1 ? "eth1" : "";
}

int capture_out_open(struct session *s, const struct capture_out_conf *conf,
		     struct capture_out **out)
{
	static char none;

	(void)s;
	(void)conf;
	*out = (struct capture_out *)(void *)&none; /* nothing looks into it */
	return 0;
}

int capture_out_number(struct capture_out *o, const struct capture_out_interface *i)
{
	(void)o;
	return (int)(i->index & 255);
}

void capture_out_received(struct capture_out *o, int number)
{
	(void)o;
	(void)number;
}

/* Every byte of a packet that is written is read. */
int capture_out_frame(struct capture_out *o, int number, const struct frame *f)
{
	volatile uint32_t sum = (uint32_t)number;

	(void)o;
	for (uint32_t k = 0; k < f->captured; k++)
		sum += f->bytes[k];
	for (uint32_t k = 0; k < f->comment.len; k++)
		sum += (uint8_t)f->comment.p[k];
	return 0;
}

int capture_out_finish(struct capture_out *o,
		       void (*count)(void *ctx, uint32_t index, struct capture_out_counts *c),
		       void *ctx)
{
	struct capture_out_counts c = {0};

	(void)o;
	count(ctx, 1, &c);
	return 0;
}

static void env_close_outputs(void)
{
	for (int i = 0; i < ENV_FORMATS; i++) {
		if (env_session.out[i])
			(void)output_flush(env_session.out[i], true);
		output_free(env_session.out[i]);
		env_session.out[i] = NULL;
	}
}

/* All columns, in every format. */
int session_set_schema(struct session *s, const struct schema *schema, uint64_t extra,
		       uint64_t hidden)
{
	static int null = -1;
	uint8_t fields[64];

	(void)extra;
	(void)hidden;
	if (null < 0)
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	for (unsigned i = 0; i < schema->n; i++)
		fields[i] = (uint8_t)i;
	env_close_outputs();
	for (int i = 0; i < ENV_FORMATS; i++)
		assert(!output_new(&s->out[i], output_kinds[i], schema, fields, schema->n, null,
				   (struct output_style){0}));
	return 0;
}
