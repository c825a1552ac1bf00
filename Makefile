# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# One file builds everything; sources, BPF objects, tests and fuzzers are found by wildcard,
# so adding one never means editing this file.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=

CC := gcc
CLANG := $(firstword $(foreach c,clang-19 clang-14 clang,$(if $(shell command -v $(c)),$(c))) clang)
BPFTOOL := $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
MULTIARCH := $(shell $(CC) -print-multiarch)
BPF_ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(shell uname -m)))

B := build$(if $(SANITIZE),/sanitize)$(if $(COVERAGE),/coverage)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wvla -Wformat=2 -Wundef -Wno-missing-field-initializers -Werror
INC := -Isrc -I$(B)/gen
CFLAGS := -std=gnu11 -O2 -g $(WARN) -D_GNU_SOURCE -DVERSION='"$(VERSION)"' \
	-ffunction-sections -fdata-sections -fno-strict-aliasing $(INC)
LDFLAGS := -Wl,--gc-sections
STATIC_LIBS := -lbpf -lelf -lz -lseccomp -lcap
LIBS := $(STATIC_LIBS) -lpcap
ifdef SANITIZE
CFLAGS += -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
LDFLAGS += -fsanitize=address,undefined
endif
ifdef COVERAGE
CFLAGS += --coverage -O0
LDFLAGS += --coverage
endif
BPF_CFLAGS := -g -O2 -std=gnu11 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(BPF_ARCH) -D__bpf__ -Isrc \
	-isystem /usr/include/$(MULTIARCH) -Wall -Wextra -Werror -Wno-unused-parameter \
	-Wno-missing-field-initializers -Wno-address-of-packed-member

ROOMS := base protocol call host filter capture output loader screen
LIB_SRC := $(sort $(wildcard $(ROOMS:%=src/%/*.c)))
TOOL_SRC := $(sort $(wildcard src/tools/*/*.c))
BPF_SRC := $(sort $(wildcard src/tools/*/*.bpf.c))
USER_TOOL_SRC := $(filter-out %.bpf.c,$(TOOL_SRC))
LIB_OBJ := $(LIB_SRC:src/%.c=$(B)/%.o)
TOOL_OBJ := $(USER_TOOL_SRC:src/%.c=$(B)/%.o)
SKELS := $(foreach s,$(BPF_SRC),$(B)/gen/$(notdir $(s:.bpf.c=.skel.h)))
LIB := $(B)/libtapline.a
BIN := $(B)/tapline
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNITS := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)
PROGRAM_SRC := $(sort $(wildcard tests/programs/*.c))
PROGRAMS := $(PROGRAM_SRC:tests/programs/%.c=$(B)/programs/%)
PRELOAD_SRC := $(sort $(wildcard tests/faults/*.c))
PRELOADS := $(PRELOAD_SRC:tests/faults/%.c=$(B)/programs/%.so)
BENCH_BPF_SRC := $(sort $(wildcard tests/bench/*.bpf.c))
BENCHES := $(BENCH_BPF_SRC:tests/bench/%.bpf.c=$(B)/bench/%)
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZERS := $(FUZZ_SRC:tests/fuzz/%.c=build/fuzz/%)
FUZZ_SECONDS ?= 60

.PHONY: all check fuzz bench bench-peers matrix matrix-kernel install static programs units man clean format lint rooms soak coverage faults
all: $(BIN) man

# ---- BPF objects and skeletons ----
$(B)/bpf/%.tmp.o:
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.tmp.o=.d) -MT $@ -c $< -o $@
define bpf_rules
$(B)/bpf/$(notdir $(1:.bpf.c=)).tmp.o: $(1)
$(B)/gen/$(notdir $(1:.bpf.c=)).skel.h: $(B)/bpf/$(notdir $(1:.bpf.c=)).tmp.o
	@mkdir -p $$(@D)
	$(BPFTOOL) gen object $$(<:.tmp.o=.o) $$<
	{ echo '#include "abi/record.h"'; $(BPFTOOL) gen skeleton $$(<:.tmp.o=.o) name $(notdir $(1:.bpf.c=))_bpf; } > $$@
endef
$(foreach s,$(BPF_SRC),$(eval $(call bpf_rules,$(s))))

# ---- user side ----
$(LIB_OBJ): $(B)/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c $< -o $@
$(TOOL_OBJ) $(B)/main.o: $(B)/%.o: src/%.c | $(SKELS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c $< -o $@
$(B)/counters.o: tests/coverage/counters.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c $< -o $@
$(LIB): $(LIB_OBJ) $(if $(COVERAGE),$(B)/counters.o)
	@rm -f $@
	ar rcs $@ $^
$(BIN): $(B)/main.o $(TOOL_OBJ) $(LIB)
	$(CC) $(CFLAGS) $(LDFLAGS) $(B)/main.o $(TOOL_OBJ) $(LIB) $(LIBS) -o $@

ifdef COVERAGE
$(BIN) $(PROGRAMS): LDFLAGS += -Wl,--wrap=seccomp_load -Wl,-u,__wrap_seccomp_load
endif

# One binary that needs nothing of the machine it runs on. libpcap stays out: src/filter/libpcap.c.
static: $(B)/tapline-static
$(B)/no-libpcap.o: src/filter/libpcap.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -DNO_PCAP -MMD -MP -c $< -o $@
$(B)/tapline-static: $(B)/main.o $(TOOL_OBJ) $(B)/no-libpcap.o $(LIB)
	$(CC) $(CFLAGS) $(LDFLAGS) -static $(B)/main.o $(TOOL_OBJ) $(B)/no-libpcap.o $(LIB) $(STATIC_LIBS) -o $@
	strip $@
	@test "$$(stat -c %s $@)" -le 3000000 || { echo "$@ is over 3 MB"; exit 1; }

man: $(BIN)
	@mkdir -p $(B)/man $(B)/completion
	@for c in $$($(BIN) --list-commands); do \
		ASAN_OPTIONS=detect_leaks=0 $(BIN) $$c --man > $(B)/man/tapline-$$c.8 || exit 1; done
	@$(BIN) --man > $(B)/man/tapline.8
	@$(BIN) --completion > $(B)/completion/tapline

# ---- tests ----
$(B)/unit/test_memory: LDFLAGS += -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc -Wl,--wrap=pcap_open_dead
$(UNITS): $(B)/unit/%: tests/unit/%.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Itests/unit -MMD -MP $(LDFLAGS) $< $(LIB) $(LIBS) -lcmocka -o $@
$(PROGRAMS): $(B)/programs/%: tests/programs/%.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $< $(LIB) $(LIBS) -pthread $(if $(findstring uring,$*),-luring) -o $@
units: $(UNITS)
# What the tests put between tapline and the C library (LD_PRELOAD); never with a sanitizer's own.
$(PRELOADS): $(B)/programs/%.so: tests/faults/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g $(WARN) -D_GNU_SOURCE -fPIC -shared $< -o $@
programs: $(PROGRAMS) $(PRELOADS) $(BENCHES)

# ---- benchmark programs ----
$(foreach s,$(BENCH_BPF_SRC),$(eval $(call bpf_rules,$(s))))
$(BENCHES): $(B)/bench/%: tests/bench/%.c tests/bench/%.h $(B)/gen/%.skel.h $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $< $(LIB) $(LIBS) -o $@

# Unit tests and the checks that need no privilege; the end-to-end tests are scripts/test.sh's.
check: all units rooms
	@scripts/unit.sh $(UNITS)

rooms:
	@scripts/rooms.sh

# Fuzzers are built from the sources themselves, instrumented; -fsanitize=fuzzer needs clang.
FUZZ_LIB_SRC := $(filter-out src/loader/% src/screen/%,$(LIB_SRC))
$(FUZZERS): build/fuzz/%: tests/fuzz/%.c $(FUZZ_LIB_SRC) $(wildcard src/*/*.h src/tools/*/*.[ch] tests/fuzz/*.h tests/unit/turn_*.h)
	@mkdir -p $(@D)
	$(CLANG) -std=gnu11 -O1 -g -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -Isrc -Itests/fuzz -fno-strict-aliasing \
		-ffunction-sections -Wl,--gc-sections \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined $< $(FUZZ_LIB_SRC) -lpcap \
		$(if $(findstring llhttp,$*),-I/usr/share/include/llhttp -I/usr/share/llhttp -DLLHTTP_STRICT_MODE=1 $(wildcard /usr/share/llhttp/*.c)) -o $@
fuzz: $(FUZZERS)
	@scripts/fuzz.sh $(FUZZ_SECONDS) $(FUZZERS)

coverage:
	@scripts/coverage.sh
matrix:
	@scripts/matrix.sh
matrix-kernel:
	@scripts/matrix-kernel.sh
faults:
	@scripts/faults.sh
bench: all programs
	@scripts/bench.sh
bench-peers: all programs
	@scripts/bench.sh --only peers $(if $(ROUNDS),--rounds $(ROUNDS))
HOURS ?= 1
soak:
	@scripts/soak.sh $(HOURS)

format:
	clang-format -i $$(git ls-files 'src/*.[ch]' 'tests/*.[ch]')
lint:
	@scripts/lint.sh

install: all
	install -D -m 0755 $(BIN) $(DESTDIR)$(PREFIX)/sbin/tapline
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/man8 $(B)/man/*.8
	install -D -m 0644 $(B)/completion/tapline $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tapline

clean:
	rm -rf build

-include $(shell find $(B) -name '*.d' 2>/dev/null)
