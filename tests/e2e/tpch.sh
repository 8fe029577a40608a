#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# TPC-H's tables follow the specification, and its query 16 gives in a recorded
# MariaDB what it gives without a database. SKY_LONG=1: with more data, too.
. tests/e2e/lib.sh

TPCH=$PWD/workloads/tpch/tpch

# tables SCALE: into $T/tables-SCALE
tables() { mkdir -p "$T/tables-$1" && "$SKY" tpch-tables --scale-factor "$1" --text-size 8M --directory "$T/tables-$1"; }

# no_rows WHAT TABLE AWK-CONDITION: ok if it holds for no row of that table
no_rows() {
	local bad
	bad=$(awk -F'|' "$3 { print; exit }" "$T/tables-0.1/$2.tbl" 2>&1)
	if [ -z "$bad" ]; then ok "$1"; else not_ok "$1" "$bad"; fi
}

follows_the_specification() {
	local colour='[a-z]+' text="[-a-z,.;:?!' T]"
	check "tables are made" tables 0.1
	no_rows "parts: keys count from 1" part '$1 != NR'
	no_rows "parts: nine columns" part 'NF != 10'
	no_rows "parts: names are five colours" part "\$2 !~ /^$colour $colour $colour $colour $colour\$/"
	no_rows "parts: no colour comes twice" part \
		'{ split($2, c, " "); for (i in c) for (j in c) if (i < j && c[i] == c[j]) n++ } n'
	no_rows "parts: the brand has the maker's digit" part \
		'$3 !~ /^Manufacturer#[1-5]$/ || $4 !~ /^Brand#[1-5][1-5]$/ || substr($3, 14) != substr($4, 7, 1)'
	no_rows "parts: types" part \
		'$5 !~ /^(STANDARD|SMALL|MEDIUM|LARGE|ECONOMY|PROMO) (ANODIZED|BURNISHED|PLATED|POLISHED|BRUSHED) (TIN|NICKEL|BRASS|STEEL|COPPER)$/'
	no_rows "parts: sizes" part '$6 !~ /^[0-9]+$/ || $6 < 1 || $6 > 50'
	no_rows "parts: containers" part \
		'$7 !~ /^(SM|LG|MED|JUMBO|WRAP) (CASE|BOX|BAG|JAR|PKG|PACK|CAN|DRUM)$/'
	no_rows "parts: prices" part '$8 != sprintf("%.2f", (90000 + int($1 / 10) % 20001 + 100 * ($1 % 1000)) / 100)'
	no_rows "parts: comments" part "length(\$9) < 5 || length(\$9) > 22 || \$9 !~ /^$text*\$/"
	no_rows "parts' suppliers: keys" partsupp \
		'{ p = int((NR - 1) / 4) + 1; i = (NR - 1) % 4; S = 1000 }
		 $1 != p || $2 != (p + i * (S / 4 + int((p - 1) / S))) % S + 1'
	no_rows "parts' suppliers: quantities" partsupp '$3 !~ /^[0-9]+$/ || $3 < 1 || $3 > 9999'
	no_rows "parts' suppliers: costs" partsupp '$4 !~ /^[0-9]+\.[0-9][0-9]$/ || $4 < 1 || $4 > 1000'
	no_rows "parts' suppliers: comments" partsupp "length(\$5) < 49 || length(\$5) > 198 || \$5 !~ /^$text*\$/"
	no_rows "suppliers: names" supplier '$1 != NR || $2 != sprintf("Supplier#%09d", NR)'
	no_rows "suppliers: addresses" supplier 'length($3) < 10 || length($3) > 40 || $3 !~ /^[0-9a-zA-Z ,]+$/'
	no_rows "suppliers: phones have the nation's number" supplier \
		'$4 < 0 || $4 > 24 || $5 !~ /^[1-3][0-9]-[1-9][0-9][0-9]-[1-9][0-9][0-9]-[1-9][0-9][0-9][0-9]$/ ||
		 substr($5, 1, 2) != $4 + 10'
	no_rows "suppliers: balances" supplier '$6 !~ /^-?[0-9]+\.[0-9][0-9]$/ || $6 < -999.99 || $6 > 9999.99'
	no_rows "suppliers: comments" supplier 'length($7) < 25 || length($7) > 100'
	holds "half of the prices are above the middle" \
		"$(awk -F'|' '$4 > 500.5' "$T/tables-0.1/partsupp.tbl" | wc -l) / 80000 > 0.49"
	holds "each of 150 types" "$(cut -d'|' -f5 "$T/tables-0.1/part.tbl" | sort -u | wc -l) == 150"
	check "a scale factor that isn't a multiple of 0.01 is refused" \
		eval "! $SKY tpch-tables --scale-factor 0.015 --directory $T"
}

# The checksum that the tables of scale factor 0.01 have on every machine.
always_the_same() {
	local sum
	check "the smallest tables are made" tables 0.01
	sum=$(cat "$T"/tables-0.01/{part,partsupp,supplier}.tbl | sha256sum | cut -c1-16)
	check "tables are the same on every machine ($sum)" [ "$sum" = 03ca61ca07d2ba83 ]
}

# value FILTER: of the classification
value() { jq -r "$1" "$T/class.json"; }

# recorded SCALE SIZE FS OPTION...: the errors are held against 1 percent
recorded() {
	local scale=$1 size=$2 fs=$3 what="scale factor $1 on $3"
	shift 3
	[ -d "$T/tables-$scale" ] || tables "$scale" >/dev/null
	workloads/tpch/query16 "$T/tables-$scale" >"$T/expected"
	holds "$what: the query finds something" "$(wc -l <"$T/expected") > 100"
	if ! "$SKY" record --host --fs "$fs" --size "$size" -o "$T/tpch.h5" \
		--then "'$TPCH' start query stop --directory db $*" -- "$TPCH" start load index stop \
		--directory db --tables "$T/tables-$scale" "$@" >"$T/result" 2>"$T/log" </dev/null ||
		! "$SKY" classify "$T/tpch.h5" --json >"$T/class.json" 2>>"$T/log"; then
		not_ok "$what: MariaDB is recorded" "$(tail -n 3 "$T/log" | tr '\n' ' ')"
		return
	fi
	check "$what: query 16 gives what it gives without a database" cmp "$T/expected" "$T/result"
	check "$what: nothing was lost" [ "$("$SKY" info "$T/tpch.h5" --json | jq .lost_events)" = 0 ]
	for direction in write read; do
		holds "$what: ${direction}s are judged" "$(value ".${direction}_chunks_judged") > 500"
		holds "$what: ${direction} error" "$(value ".${direction}_error_percent") < 1"
	done
	rm -f "$T/tpch.h5"
}

refusals() {
	local status
	"$TPCH" frob 2>/dev/null
	status=$?
	check "an unknown step is wrong usage" [ $status = 2 ]
	check "a folder with something else in it is left alone" eval "! $TPCH start --directory $T"
	check "a query without a server is an error" eval "! $TPCH query --directory $T/db"
	check "a database that can't be made leaves nothing" \
		eval "! $TPCH start --directory $T/db --flush-method none && rmdir $T/db"
	check "a server starts, and stops" "$TPCH" start stop --directory "$T/db"
	check "a server that can't start says why" eval "! $TPCH start --directory $T/db \
		--flush-method none 2>$T/why && grep -q 'the server ended: .*none' $T/why"
}

follows_the_specification
always_the_same
if ! PATH=$PATH:/usr/sbin command -v mariadbd mariadb-install-db mariadb >/dev/null; then
	skip "query 16 in MariaDB" "mariadb-server-core or mariadb-client-core is missing"
	exit 0
fi
chmod 755 "$T"
refusals
needs_recording
recorded 0.01 2G ext4
recorded 0.01 2G ext4 --flush-method fsync
if [ -n "${SKY_LONG:-}" ]; then
	recorded 0.1 2G ext4
	recorded 1.7 4G ext4
	recorded 0.1 2G xfs
	recorded 0.1 2G btrfs
fi
