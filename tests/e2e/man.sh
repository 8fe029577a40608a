#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Manual pages: one for sky, one a command and one a recorder, and mandoc has nothing to warn of.
. tests/e2e/lib.sh

mkdir "$T/build"
cp "$SKY" "$T/build/sky"
check "the pages are made" docs/make-man "$T/build"
check "sky has one" grep -q "^sky .- " "$T/build/man/sky.1"
for command in record record-host record-kvm record-truth convert info dump join classify anonymize sim mrc plot report import watch tpch-tables; do
	check "sky $command has one" grep -q "^sky-$command .- " "$T/build/man/sky-$command.1"
done
for page in "$T"/build/man/*.1; do
	check "mandoc takes $(basename "$page")" mandoc -Tlint -W warning "$page"
done
