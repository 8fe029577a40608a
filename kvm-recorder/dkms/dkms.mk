# SPDX-License-Identifier: GPL-2.0-or-later
#
# The kernel modules as a package for Debian 12, which builds them by DKMS wherever it is installed: build/sky-dkms_VERSION_amd64.deb.

kvm-dkms: $(BUILD)/sky-dkms_$(VERSION)_amd64.deb

DKMS_SOURCES := $(wildcard kvm-recorder/dkms/* kvm-recorder/dkms/debian/*) \
		$(shell find kvm-recorder/kernel -type f)
$(BUILD)/sky-dkms_$(VERSION)_amd64.deb: $(DKMS_SOURCES)
	@DKMS=1 tests/need-packages "$(MAKE)" TEST_FILES=
	@mkdir -p $(@D)
	kvm-recorder/dkms/build $(BUILD) $(VERSION)

.PHONY: kvm-dkms
