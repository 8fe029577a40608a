# SPDX-License-Identifier: GPL-2.0-or-later
#
# The emulated host: `make lab-up` makes it ready, `make lab-shell` starts it with a shell,
# `make lab-check` runs its tests (TESTS="disk ..." some of them), `make lab-fuzz` a hostile
# guest for long, `make lab-compare` both recorders on the same program.

lab-up: $(SKY) $(BUILD)/skyrun $(BUILD)/libskyguest.a
	@LAB=1 tests/need-packages "$(MAKE)"
	kvm-recorder/lab/up $(BUILD)

lab-shell: lab-up
	kvm-recorder/lab/boot $(BUILD)/lab $(BUILD)/lab/share

lab-check: lab-up
	kvm-recorder/lab/check $(BUILD) $(TESTS)

# SECONDS of a hostile guest, in rounds of a minute, the first with that SEED
lab-fuzz: SECONDS = 600
lab-fuzz: SEED = 1
lab-fuzz: lab-up
	echo "$(SECONDS) $(SEED)" >$(BUILD)/lab/share/fuzz
	kvm-recorder/lab/check --seconds $$(($(SECONDS) * 3 + 300)) $(BUILD) hostile; \
		status=$$?; rm -f $(BUILD)/lab/share/fuzz; exit $$status

# What the recorder of guests and that of hosts see of the same program.
lab-compare: lab-up
	kvm-recorder/lab/check $(BUILD) compare
	cat $(BUILD)/lab/share/results/compare.txt

# The trace for machines that can't run the lab: a mail server's eight threads on two virtual CPUs.
lab-trace: lab-up
	kvm-recorder/lab/check $(BUILD) accuracy
	cp $(BUILD)/lab/share/results/iret.threads.h5 tests/data/lab.h5

.PHONY: lab-up lab-shell lab-check lab-fuzz lab-compare lab-trace
