#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# scripts/rooms.sh [DIR]: checks every `#include "..."` below DIR (src) against the rooms of
# docs/DESIGN.md, so that the table there stays true. --self-test plants violations and finds them.
set -eu

check() {
	# shellcheck disable=SC2016 # awk's dollars
	find "$1" -type f -name '*.[ch]' | sort | xargs -r awk -v top="$1/" '
	function allow(room, may) { allowed[room] = " " may " " }
	BEGIN {
		allow("base", "base")
		allow("abi", "abi")
		allow("kernel", "kernel abi")
		allow("protocol", "protocol base")
		allow("call", "call protocol abi base")
		allow("host", "host base")
		allow("filter", "filter base")
		allow("capture", "capture abi base")
		allow("output", "output abi base")
		allow("loader", "loader host filter capture output abi base")
		allow("screen", "screen output base")
		allow("tools", "abi base kernel protocol call host filter capture output loader")
	}
	function complain(why) {
		printf "%s:%d: %s\n", FILENAME, FNR, why
		bad = 1
	}
	FNR == 1 {
		rest = substr(FILENAME, length(top) + 1)
		depth = split(rest, part, "/")
		room = depth > 1 ? part[1] : "main"
		folder = room == "tools" ? "tools/" part[2] : room
		if (room != "main" && !(room in allowed))
			complain("no room is called " room)
	}
	/^[ \t]*#[ \t]*include[ \t]*"/ {
		split($0, quoted, "\"")
		name = quoted[2]
		levels = split(name, to, "/")
		if (name ~ /(^|\/)\.\.?\//)
			complain("include \"" name "\": name the room, no dots")
		else if (room == "main")
			next # src/main.c may include all
		else if (levels == 1 && name ~ /\.skel\.h$/) {
			if (room != "tools" && room != "loader")
				complain("include \"" name "\": skeletons belong to tools")
		} else if (levels == 1) {
			# A file beside this one.
			if (system("test -e " top folder "/" name) != 0)
				complain("include \"" name "\": not in this folder; name its room")
		} else if (to[1] == "tools") {
			if (levels < 3 || "tools/" to[2] != folder)
				complain("include \"" name "\": " folder " may not look into another tool")
		} else if (index(allowed[room], " " to[1] " ") == 0)
			complain("include \"" name "\": " room " may include" allowed[room] "only")
	}
	END { exit bad }
	'
}

self_test() {
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	plant() { # file, include, what check must answer
		rm -rf "$dir/src"
		mkdir -p "$dir/src/$(dirname "$1")" "$dir/src/tools/hello"
		: >"$dir/src/tools/hello/hello.h"
		echo "#include \"$2\"" >"$dir/src/$1"
		if check "$dir/src" >/dev/null; then got=allowed; else got=refused; fi
		if [ "$got" != "$3" ]; then
			echo "rooms.sh: $1 including $2 is $got, not $3"
			exit 1
		fi
	}
	plant base/a.c base/buf.h allowed
	plant base/a.c output/schema.h refused
	plant protocol/http1.c call/call.h refused
	plant protocol/http1.c base/text.h allowed
	plant call/join.c host/process.h refused
	plant kernel/turn.bpf.h base/def.h refused
	plant loader/session.c host/cgroup.h allowed
	plant loader/capture_in.c capture/reader.h allowed
	plant capture/reader.c loader/session.h refused
	plant host/process.c loader/session.h refused
	plant output/json.c ../base/buf.h refused
	plant screen/live.c loader/session.h refused
	plant tools/hello/hello.c hello.h allowed
	plant tools/hello/hello.c tools/hello/hello.h allowed
	plant tools/hello/hello.c hello.skel.h allowed
	plant tools/requests/requests.c tools/hello/hello.h refused
	plant tools/requests/requests.c hello.h refused
	plant tools/requests/requests.c screen/live.h refused
	plant output/json.c hello.skel.h refused
	plant attic/a.c base/buf.h refused
	plant main.c screen/live.h allowed
}

if [ "${1:-}" = --self-test ]; then
	self_test
else
	check "${1:-$(dirname "$0")/../src}"
fi
