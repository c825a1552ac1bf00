// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Keys from the terminal that a table is shown on, for a tool that takes some.
 * The terminal is another's: it is touched only in the foreground, and given back as it was. */
#pragma once

#include <asm/termbits.h>

#include "loader/key.h"

#define KEYBOARD_KEYS 64 /* at once */

struct keyboard {
	bool wanted; /* set by keyboard_open; else nothing here does anything */
	bool held;   /* the terminal sends each key at once, and shows none */
	pid_t group; /* of processes, this one's */
	struct termios before;
	uint64_t next_look_ns; /* whether it is in the foreground now */
	struct key_reader reader;
};

/* Standard input and output are one terminal: keys are wanted. Nothing is touched yet. */
void keyboard_open(struct keyboard *k);
/* Takes the terminal, if this process is in its foreground. */
void keyboard_hold(struct keyboard *k);
/* Gives it back. More than once too. */
void keyboard_release(struct keyboard *k);
/* SIGTSTP stops this process, with the terminal given back, and returns when it goes on; SIGCONT
 * takes the terminal again. False: another signal. */
bool keyboard_signal(struct keyboard *k, unsigned signal);
/* The keys since the last call, without waiting; how many. In between it looks whether the terminal
 * is this process's by now. */
unsigned keyboard_read(struct keyboard *k, uint64_t now_ns, uint16_t keys[KEYBOARD_KEYS]);
