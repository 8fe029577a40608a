#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An unmodified MariaDB under skytag: every page of InnoDB that the disk gets or
# gives has the class that the page's own head calls for, and query 16 gives what
# it gives without. TPC-H of scale factor 0.1, or 1.7 with SKY_LONG=1.
. tests/e2e/lib.sh
needs_recording
command -v mariadbd >/dev/null && command -v mariadb >/dev/null ||
	{ skip "MariaDB under skytag" "mariadb-server is not installed"; exit 0; }

SCALE=0.1 SIZE=2G POOL=20M
[ -n "${SKY_LONG:-}" ] && SCALE=1.7 SIZE=10G POOL=64M
CLUSTERED=8 SECONDARY=7 OTHER=10 SYSTEM=9
TPCH=$(realpath workloads/tpch/tpch)

# The server runs as somebody else, who may not be allowed to look into the build folder.
chmod 755 "$T"
cp "$BUILD/skytag" "$BUILD/libskytag.so" "$T/"
cat >"$T/rules" <<E2
# The doublewrite buffer: pages of all tables, many in one call.
path=ibdata1 op=write innodb=secondary class=$SECONDARY
path=ibdata1 op=write innodb=clustered class=$CLUSTERED
path=ibdata1                           class=$SYSTEM
path=*.ibd   innodb=secondary          class=$SECONDARY
path=*.ibd   innodb=clustered          class=$CLUSTERED
path=*.ibd                             class=$OTHER
E2
mkdir "$T/tables"
"$SKY" tpch-tables --scale-factor "$SCALE" --directory "$T/tables" >"$T/log" 2>&1 ||
	{ not_ok "the tables are made" "$(tail -n 1 "$T/log")"; exit 1; }
chmod -R a+rX "$T/tables"

cat >"$T/steps" <<E2
#!/bin/bash
# The steps, in the recorded file system; the server under skytag but where it is made.
set -e
chmod 755 .
step() { "$TPCH" "\$@" --directory "\$PWD/d" --tables "$T/tables" --buffer-pool $POOL </dev/null; }
tagged() { step "\$@" --wrapper "$T/skytag --rules $T/rules --"; }
case \$1 in
make) step start stop ;;
fill)
	tagged start load index
	mariadb --no-defaults --user=root --socket=d/socket --batch --skip-column-names -e "
		select 'index', i.index_id, t.space, i.type, t.name, i.name
		from information_schema.innodb_sys_indexes i
		join information_schema.innodb_sys_tables t using (table_id)" >"$T/list"
	tagged stop
	;;
query)
	tagged start query stop >"$T/result"
	find d -type f -printf 'file %i %P\n' >>"$T/list"
	;;
esac
E2
chmod 755 "$T/steps"

if ! "$SKY" record --host --fs ext4 --size "$SIZE" -o "$T/db.h5" --prepare "$T/steps make" \
	--then "$T/steps query" -- "$T/steps" fill >"$T/log" 2>&1; then
	not_ok "recorded" "$(tail -n 2 "$T/log" | tr '\n' ' ')"
	exit 1
fi
check "query 16 gives what the tables say" diff <("$TPCH" expect --tables "$T/tables" 2>/dev/null) "$T/result"
"$SKY" classify "$T/db.h5" -o "$T/hints.h5" >"$T/log" || { not_ok "classified" "$(tail -n 1 "$T/log")"; exit 1; }
"$SKY" dump "$T/hints.h5" | "$(dirname "$0")/programs/innodb_check.py" "$T/list" $CLUSTERED $SECONDARY $OTHER $SYSTEM \
	>"$T/verdict" 2>"$T/wrong" || { not_ok "checked" "$(tail -n 1 "$T/wrong")"; exit 1; }
head -n 3 "$T/wrong"

while read -r operation chunks wrong clustered secondary unseen unconsumed; do
	holds "$operation: right in percent" "100 * (1 - $wrong / ($chunks + !$chunks)) >= 99.9"
	holds "$operation: chunks, of the clustered index, read ahead in vain" \
		"$chunks > 100 && $clustered > 100 && $unconsumed <= 0.02 * $chunks"
	holds "$operation: chunks whose page's head was not seen" "$unseen <= 0.001 * $chunks"
	[ "$operation" = R ] || holds "$operation: chunks of secondary indices" "$secondary > 100"
done <"$T/verdict"
