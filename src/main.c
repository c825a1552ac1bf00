// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Dispatch: the first word is a subcommand or one of its aliases; without one it is the main job.
 * The register of subcommands is src/tools.list, one line each. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/log.h"
#include "loader/session.h"

#define TOOL(name) extern const struct tool tool_##name;
#include "tools.list"
#undef TOOL
#define TOOL(name) &tool_##name,
const struct tool *const tools[] = {
#include "tools.list"
	NULL};
#undef TOOL

#define N_TOOLS (ARRAY_SIZE(tools) - 1)

static const struct tool *tool_named(const char *name)
{
	for (size_t i = 0; i < N_TOOLS; i++) {
		const char *const *alias = tools[i]->manual.aliases;

		if (!strcmp(tools[i]->manual.name, name))
			return tools[i];
		for (; alias && *alias; alias++)
			if (!strcmp(*alias, name))
				return tools[i];
	}
	return NULL;
}

static int print(void (*make)(const struct manual *const *all, unsigned n, struct buf *out))
{
	const struct manual *all[N_TOOLS];
	struct buf b = {.cap = 1 << 18};
	int status = 0;

	for (size_t i = 0; i < N_TOOLS; i++)
		all[i] = &tools[i]->manual;
	b.p = malloc(b.cap);
	if (!b.p) {
		log_error("no memory");
		return 1;
	}
	make(all, N_TOOLS, &b);
	if (fwrite(b.p, 1, b.len, stdout) != b.len || fflush(stdout)) {
		log_error("cannot write the output: %s", strerror(errno));
		status = 1;
	}
	free(b.p);
	return status;
}

static void help(const struct manual *const *all, unsigned n, struct buf *out)
{
	struct output_style style = output_style_of(STDOUT_FILENO);

	manual_help_index(all, n, style.width ? style.width : 100, out);
}

static void man(const struct manual *const *all, unsigned n, struct buf *out)
{
	manual_man_index(all, n, common_opts, out);
}

static void completion(const struct manual *const *all, unsigned n, struct buf *out)
{
	manual_completion(all, n, common_opts, out);
}

static void list(const struct manual *const *all, unsigned n, struct buf *out)
{
	for (unsigned i = 0; i < n; i++)
		buf_printf(out, "%s\n", all[i]->name);
}

static void version(const struct manual *const *all, unsigned n, struct buf *out)
{
	(void)all, (void)n;
	buf_str(out, "tapline " VERSION "\n");
}

static int unknown(const char *word)
{
	const char *names[N_TOOLS];
	const char *near;

	for (size_t i = 0; i < N_TOOLS; i++)
		names[i] = tools[i]->manual.name;
	near = opt_nearest(word, names, N_TOOLS);
	if (near)
		log_error("there is no subcommand '%s', did you mean '%s'?", word, near);
	else
		log_error("there is no subcommand '%s'; 'tapline --help' lists them", word);
	return 2;
}

/* What was closed when we were started is not to become the number of a map or a socket, which
 * would then be written to. Output that nobody opened fails like any other that cannot be written.
 */
static void hold_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv)
{
	const struct tool *t;

	hold_standard_streams();
	if (argc < 2 || (argv[1][0] == '-' && strcmp(argv[1], "--help") && strcmp(argv[1], "-h") &&
			 strcmp(argv[1], "--version") && strcmp(argv[1], "--man") &&
			 strcmp(argv[1], "--completion") && strcmp(argv[1], "--list-commands")))
		return session_run(tools[0], argc, argv);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		t = argc > 2 ? tool_named(argv[2]) : NULL;
		if (argc > 2 && !t)
			return unknown(argv[2]);
		if (t)
			return session_run(t, 2, (char *[]){argv[2], "--help", NULL});
		return print(help);
	}
	if (!strcmp(argv[1], "--version")) {
		return print(version);
	}
	if (!strcmp(argv[1], "--man"))
		return print(man);
	if (!strcmp(argv[1], "--completion"))
		return print(completion);
	if (!strcmp(argv[1], "--list-commands"))
		return print(list);
	t = tool_named(argv[1]);
	if (!t)
		return unknown(argv[1]);
	return session_run(t, argc - 1, argv + 1);
}
