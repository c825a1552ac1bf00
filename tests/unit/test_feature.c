// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Probes agree with what is known of any kernel: hooks that exist everywhere and hooks that cannot.
 * What a probe finds differs by machine, so only what must hold on all of them is asserted. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "loader/feature.h"
#include "loader/ladder.h"

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static int silence(void **state)
{
	(void)state;
	libbpf_set_print(quiet);
	return 0;
}

static void skip_unless_able(void)
{
	if (feature_check(FEATURE_ROOT) || feature_check(FEATURE_BTF))
		skip();
}

/* A program or map lives as long as a descriptor of it, unless it is attached or pinned. */
static unsigned open_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_hooks(void **state)
{
	(void)state;
	skip_unless_able();
	assert_int_equal(feature_hook("tp_btf/inet_sock_set_state"), 0);
	assert_int_equal(feature_tracing("iter", "tcp"), 0);
	assert_int_equal(feature_tracing("tp_btf", "no_such_tracepoint"), -ENOENT);
	assert_int_equal(feature_tracing("fentry", "no_such_function"), -ENOENT);
	assert_int_equal(feature_tracing("fmod_ret", "tcp_sendmsg"), -ENOTSUP);
	assert_int_equal(feature_hook("tracepoint/sock/no_such_tracepoint"), -ENOENT);
	assert_int_equal(feature_hook("nonsense"), -ENOTSUP);
	assert_int_equal(feature_hook("a_kind_that_is_too_long/x"), -ENOTSUP);
	assert_true(feature_hook("kprobe/no_such_function") < 0);
}

/* A second question is answered from memory, whatever became of the BTF. */
static void test_remembered(void **state)
{
	(void)state;
	skip_unless_able();
	int before = feature_tracing("fentry", "tcp_sendmsg");

	feature_done();
	assert_int_equal(feature_tracing("fentry", "tcp_sendmsg"), before);
	assert_int_equal(feature_tracing("iter", "task"), 0); /* loads it again */
	feature_done();
	feature_done();
}

static void test_ladders(void **state)
{
	static const struct rung *const ladders[] = {ladder_send, ladder_read, ladder_state,
						     ladder_sweep};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(ladders); i++) {
		assert_non_null(ladders[i][0].program);
		assert_null(ladders[i][0].without); /* the best rung sees everything */
		for (const struct rung *r = ladders[i]; r->program; r++)
			assert_non_null(strchr(r->hook, '/'));
	}
}

static void test_needs(void **state)
{
	(void)state;
	assert_null(feature_missing(0));
	for (enum feature f = 0; f < FEATURES; f++) {
		assert_non_null(feature_texts[f].name);
		assert_non_null(feature_texts[f].missing);
		assert_non_null(feature_texts[f].instead);
		assert_int_equal(feature_check(f), feature_check(f));
	}
	for (enum feature f = 0; f <= FEATURE_PERF; f++)
		assert_ptr_equal(feature_missing(1u << f),
				 feature_check(f) ? &feature_texts[f] : NULL);
}

static void test_nothing_stays(void **state)
{
	(void)state;
	skip_unless_able();
	unsigned before = open_fds();

	(void)feature_tracing("iter", "udp");
	(void)feature_check(FEATURE_STORAGE);
	(void)feature_check(FEATURE_RINGBUF);
	(void)feature_check(FEATURE_PERF);
	(void)feature_lockdown();
	feature_done();
	assert_int_equal(open_fds(), before);
}

/* Without privileges the answer is that, not that the kernel lacks something. */
static int check_unprivileged(void)
{
	char text[128];
	struct buf b = BUF_ON(text);

	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		return 1;
	if (feature_check(FEATURE_ROOT) != -EPERM)
		return 2;
	if (feature_missing(NEED_BTF | NEED_ROOT) != &feature_texts[FEATURE_ROOT])
		return 3;
	feature_lacking_caps(&b);
	if (!text_eq((struct text){b.p, (uint32_t)b.len},
		     TEXT("CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN")))
		return 4;
	return feature_tracing("tp_btf", "sched_switch") == -EPERM ? 0 : 5;
}

/* First, before anything is remembered; so is the next. */
static void test_unprivileged(void **state)
{
	int status;

	(void)state;
	if (geteuid())
		skip();
	pid_t child = fork();

	if (child == 0)
		_exit(check_unprivileged());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unprivileged), cmocka_unit_test(test_nothing_stays),
		cmocka_unit_test(test_hooks),        cmocka_unit_test(test_remembered),
		cmocka_unit_test(test_ladders),      cmocka_unit_test(test_needs),
	};

	return cmocka_run_group_tests(tests, silence, NULL);
}
