// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Keys while top's table is on a terminal: what a row is and the order of rows, while it runs.
 * A block is shown again for them; another grouping begins a new one. */
#include "loader/key.h"

#include "loader/session.h"
#include "tools/top/state.h"

#define HELP  "b B: what a row is  s S, arrows: sort column  r: reverse  space: pause  q: quit"
#define HINT  "   b group  s sort  r reverse  q quit  h help"
#define LEAST "   h help"

void keys_title(struct top *t)
{
	struct output *o = session_output(t->session);
	char text[256];
	struct buf b = BUF_ON(text);

	if (!session_hears_keys(t->session))
		return;
	if (t->help) {
		output_title(o, TEXT(HELP));
		return;
	}
	buf_printf(&b, "by %s, sorted by %s%s%s", top_by_words[t->by],
		   top_schema.columns[t->sort].name, t->reversed ? ", reversed" : "",
		   t->paused ? ", paused" : "");
	buf_str(&b, b.len + strlen(HINT) <= output_style(o)->width ? HINT : LEAST);
	output_title(o, buf_text(&b));
}

static int change_by(struct top *t, unsigned step)
{
	int r;

	t->by = (t->by + step) % TOP_BYS;
	r = rows_regroup(t);
	return r ? r : 1;
}

static int regroup(struct top *t)
{
	uint64_t seconds = t->interval.seconds ? t->interval.seconds : 1;

	session_set_tick(t->session, (unsigned)seconds * 1000);
	return sockets_regroup(t);
}

/* 1; 0: it is not one that says something; or -errno. */
static int take_key(struct top *t, unsigned key)
{
	switch (key) {
	case 'b':
		return change_by(t, 1);
	case 'B':
		return change_by(t, TOP_BYS - 1);
	case 's':
	case KEY_RIGHT:
		rows_sort_by_next(t, 1);
		break;
	case 'S':
	case KEY_LEFT:
		rows_sort_by_next(t, -1);
		break;
	case 'r':
		t->reversed = !t->reversed;
		break;
	case ' ':
		t->paused = !t->paused;
		break;
	case 'h':
	case '?':
		t->help = !t->help;
		break;
	default:
		return 0;
	}
	return 1;
}

/* Keys that come together are answered together, as a regrouping looks at every socket. */
int top_keys(struct session *s, const uint16_t *keys, unsigned n)
{
	struct top *t = session_state(s);
	enum top_by by = t->by;
	bool taken = false;
	int r = 0;

	for (unsigned i = 0; r >= 0 && i < n; i++) {
		if (keys[i] == 'q') {
			session_stop(s);
			return 0;
		}
		r = take_key(t, keys[i]);
		taken |= r == 1;
	}
	if (r >= 0)
		r = t->by == by ? 0 : regroup(t);
	if (!r && taken && t->block > 1) /* there is one that can be shown again */
		r = rows_show(t);
	return r ? session_fail(s, r, "cannot show the rows: %s", strerror(-r)) : 0;
}
