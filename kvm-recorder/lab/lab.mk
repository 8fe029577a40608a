# SPDX-License-Identifier: GPL-2.0-or-later
#
# The emulated host: `make lab-up` makes it ready, `make lab-shell` starts it with a shell,
# `make lab-check` runs its tests (TESTS="disk ..." some of them).

lab-up: $(SKY) $(BUILD)/skyrun
	@LAB=1 tests/need-packages "$(MAKE)"
	kvm-recorder/lab/up $(BUILD)

lab-shell: lab-up
	kvm-recorder/lab/boot $(BUILD)/lab $(BUILD)/lab/share

lab-check: lab-up
	kvm-recorder/lab/check $(BUILD) $(TESTS)

.PHONY: lab-up lab-shell lab-check
