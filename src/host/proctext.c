// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Parsers for the text of /proc/PID/{mountinfo,stat,cgroup} and of container managers' state files.
 * Pure, so that they can be fuzzed: paths, process names and state files are chosen by others. */
#include "host/proctext.h"

static struct text text_from(struct text t, uint32_t start)
{
	return (struct text){t.p + start, t.len - start};
}

bool text_line(struct text *rest, struct text *line)
{
	if (rest->len == 0)
		return false;
	const char *end = memchr(rest->p, '\n', rest->len);
	uint32_t n = end ? (uint32_t)(end - rest->p) : rest->len;

	*line = (struct text){rest->p, n};
	*rest = text_from(*rest, end ? n + 1 : n);
	return true;
}

/* The next word of *rest; empty when there is none. Words are separated by one space in /proc. */
static struct text next_word(struct text *rest)
{
	const char *end = rest->len ? memchr(rest->p, ' ', rest->len) : NULL;
	uint32_t n = end ? (uint32_t)(end - rest->p) : rest->len;
	struct text word = {rest->p, n};

	*rest = text_from(*rest, end ? n + 1 : n);
	return word;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Space, tab, newline and backslash come as \ooo (mangle_path of fs/seq_file.c). */
static int unescape(struct text t, char *out, size_t size)
{
	size_t n = 0;

	for (uint32_t i = 0; i < t.len; n++) {
		char c = t.p[i++];

		if (c == '\\' && t.len - i >= 3 && is_octal(t.p[i]) && is_octal(t.p[i + 1]) &&
		    is_octal(t.p[i + 2])) {
			c = (char)((t.p[i] - '0') << 6 | (t.p[i + 1] - '0') << 3 |
				   (t.p[i + 2] - '0'));
			i += 3;
		}
		if (c == 0)
			return -EINVAL;
		if (n + 1 >= size)
			return -ENAMETOOLONG;
		out[n] = c;
	}
	if (size == 0)
		return -ENAMETOOLONG;
	out[n] = 0;
	return 0;
}

int mountinfo_cgroup2(struct text line, char *out, size_t size)
{
	struct text word, root = {0}, point = {0};

	/* id, parent, major:minor, root, mount point, options, optional fields, "-", type. */
	for (unsigned i = 0; i < 6; i++) {
		word = next_word(&line);
		if (word.len == 0)
			return -EINVAL;
		if (i == 3)
			root = word;
		if (i == 4)
			point = word;
	}
	do {
		word = next_word(&line);
		if (word.len == 0)
			return -EINVAL;
	} while (!text_eq(word, TEXT("-")));
	if (!text_eq(next_word(&line), TEXT("cgroup2")) || !text_eq(root, TEXT("/")))
		return -ENOENT;
	return unescape(point, out, size);
}

int proc_stat_start(struct text stat, uint64_t *ticks)
{
	const char *close = stat.len ? memrchr(stat.p, ')', stat.len) : NULL;

	if (!close)
		return -EINVAL;
	struct text rest = text_from(stat, (uint32_t)(close + 1 - stat.p));

	if (next_word(&rest).len != 0)
		return -EINVAL;
	for (unsigned field = 3; field < 22; field++)
		if (next_word(&rest).len == 0)
			return -EINVAL;
	return text_to_u64(next_word(&rest), ticks) ? -EINVAL : 0;
}

/* Length of the string that begins with the quote at p, both quotes included; 0: it does not end.
 */
static uint32_t json_string_length(const char *p, uint32_t len)
{
	for (uint32_t i = 1; i < len; i++) {
		if (p[i] == '\\')
			i++;
		else if (p[i] == '"')
			return i + 1;
	}
	return 0;
}

static uint32_t skip_space(struct text t, uint32_t i)
{
	while (i < t.len && (t.p[i] == ' ' || t.p[i] == '\t' || t.p[i] == '\n' || t.p[i] == '\r'))
		i++;
	return i;
}

/* Length of the value that document begins with, up to the comma or bracket after it; 0: cut off.
 */
static uint32_t json_value_length(struct text document)
{
	uint64_t depth = 0;

	for (uint32_t i = 0; i < document.len;) {
		char c = document.p[i];
		uint32_t n = 1;

		if (c == '"') {
			n = json_string_length(document.p + i, document.len - i);
			if (n == 0)
				return 0;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if (depth == 0 && (c == '}' || c == ']' || c == ',')) {
			return i;
		} else if (c == '}' || c == ']') {
			depth--;
		}
		i += n;
	}
	return 0;
}

static struct text trim(struct text t)
{
	t = text_from(t, skip_space(t, 0));
	while (t.len && skip_space((struct text){t.p + t.len - 1, 1}, 0))
		t.len--;
	return t;
}

struct text json_string(struct text value)
{
	if (value.len < 2 || value.p[0] != '"' ||
	    json_string_length(value.p, value.len) != value.len)
		return (struct text){0};
	return (struct text){value.p + 1, value.len - 2};
}

int json_member(struct text document, struct text key, struct text *value)
{
	uint32_t i = skip_space(document, 0);

	if (i >= document.len || document.p[i] != '{')
		return -EINVAL;
	do {
		i = skip_space(document, i + 1);
		if (i >= document.len)
			return -EINVAL;
		if (document.p[i] != '"')
			return document.p[i] == '}' ? -ENOENT : -EINVAL;
		uint32_t n = json_string_length(document.p + i, document.len - i);

		if (n == 0)
			return -EINVAL;
		struct text name = {document.p + i + 1, n - 2};

		i = skip_space(document, i + n);
		if (i >= document.len || document.p[i] != ':')
			return -EINVAL;
		i++;
		n = json_value_length(text_from(document, i));
		if (n == 0)
			return -EINVAL;
		if (text_eq(name, key)) {
			*value = trim((struct text){document.p + i, n});
			return 0;
		}
		i += n;
	} while (document.p[i] == ',');
	return document.p[i] == '}' ? -ENOENT : -EINVAL;
}

bool json_element(struct text *rest, struct text *element)
{
	uint32_t i = skip_space(*rest, 0);

	if (i >= rest->len || (rest->p[i] != '[' && rest->p[i] != ','))
		return false;
	struct text after = text_from(*rest, i + 1);
	uint32_t n = json_value_length(after);

	if (n == 0)
		return false;
	*element = trim((struct text){after.p, n});
	*rest = text_from(after, n);
	return element->len > 0;
}
