# SPDX-License-Identifier: GPL-2.0-or-later
#
# The emulated host: `make lab-up` makes it ready, `make lab-shell` starts it with a shell,
# `make lab-check` runs its tests (TESTS="disk ..." some of them), `make lab-fuzz` a hostile
# guest for long, `make lab-compare` both recorders on the same program, `make lab-filesystems` a mail
# server on eight file systems, `make lab-overhead` what recording costs, `make lab-dkms` the package of
# the modules, `make lab-vmx` a host with Intel's virtualisation.

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
	cat $(BUILD)/lab/share/results/compare.d/compare.txt

# The paper's table 5: how right the classification is on each file system (FILESYSTEMS="xfs jfs": on those).
lab-filesystems: lab-up
	rm -f $(BUILD)/lab/share/filesystems.only
	$(if $(FILESYSTEMS),echo "$(FILESYSTEMS)" >$(BUILD)/lab/share/filesystems.only)
	kvm-recorder/lab/check $(BUILD) filesystems
	cat $(BUILD)/lab/share/results/filesystems.d/filesystems.txt

# The paper's table 4, in exits and instructions: docs/kvm-overhead.md
lab-overhead: lab-up
	kvm-recorder/lab/database $(BUILD)
	kvm-recorder/lab/check $(BUILD) overhead
	sed -i -e '/^<!-- tables/,/^<!-- end/{//!d}' -e '/^<!-- tables/r $(BUILD)/lab/share/results/overhead.md' docs/kvm-overhead.md

# A server with Debian 12, under emulation: the package that `make kvm-dkms` makes is installed, used and removed,
# and guests of libvirt are recorded.
lab-dkms: lab-up kvm-dkms
	kvm-recorder/lab/debian-image $(BUILD)/lab/debian.img $(BUILD)/sky-dkms_$(VERSION)_amd64.deb $(SKY)
	rm -rf $(BUILD)/lab/share/installed
	$(MAKE) install PREFIX=/usr/local DESTDIR=$(BUILD)/lab/share/installed
	cp $(BUILD)/sky-dkms_$(VERSION)_amd64.deb $(BUILD)/lab/share/
	kvm-recorder/lab/check $(BUILD) dkms libvirt

# A host with Intel's virtualisation, which bochs emulates.
lab-vmx: lab-up
	@VMX=1 tests/need-packages "$(MAKE)" TEST_FILES=
	kvm-recorder/lab/vmx $(BUILD)
	kvm-recorder/lab/check $(BUILD) vmx

# The trace for machines that can't run the lab: a mail server's eight threads on two virtual CPUs.
lab-trace: lab-up
	kvm-recorder/lab/check $(BUILD) accuracy
	cp $(BUILD)/lab/share/results/accuracy.d/iret/threads.h5 tests/data/lab.h5

.PHONY: lab-up lab-shell lab-check lab-fuzz lab-compare lab-filesystems lab-overhead lab-dkms lab-vmx lab-trace
