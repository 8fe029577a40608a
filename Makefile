# SPDX-License-Identifier: GPL-2.0-or-later
#
# make            build/sky            make demo    record, classify, simulate, report
# make check      every test           make bench   rates and ratios
# make fuzz       long fuzzing         make deps    what apt has to install
# make install    PREFIX=/usr/local DESTDIR=   make paper-table5   the paper's table 5
# make policies   every cache policy by every kind of hints on the demo's recording
# make paper-figure4, paper-figure5      its figures of block lifetimes
# make guest      build/libskyguest.*, build/skytag: programs that give classes to their I/O
# make lab-up, lab-shell, lab-check      the emulated host for the KVM recorder
# make kvm-dkms   build/sky-dkms_*.deb: the KVM recorder's modules for a server's own kernel
#
# SANITIZE=1 (ASan and UBSan) and DEBUG=1 build into folders of their own; BUILD=DIR names another.

ifdef SANITIZE
BUILD ?= build-sanitize
else ifdef DEBUG
BUILD ?= build-debug
else
BUILD ?= build
endif

PREFIX ?= /usr/local
VERSION := 0.1.0
ifeq ($(origin CC),default)
CC      := gcc
endif
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)

.DEFAULT_GOAL := all
include packages.mk

CPPFLAGS += -D_GNU_SOURCE -I. -I$(BUILD) -DSKY_VERSION='"$(VERSION)"' $(PACKAGE_CFLAGS)
CFLAGS   ?= -O3 -g
CFLAGS   += -std=gnu17 -Wall -Wextra -Wno-unused-parameter -Wmissing-prototypes -Wstrict-prototypes \
	    -Wvla -fno-strict-aliasing -pthread
LDLIBS   += $(PACKAGE_LIBS) -ltrace -lm -lpthread

ifdef SANITIZE
CFLAGS  += -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=address,undefined
else ifdef DEBUG
CFLAGS  += -O0
endif

ROOMS   := common capture sim models plots workloads kvm-recorder/collector
SOURCES := $(sort $(shell find $(ROOMS) -name '*.c' ! -name '*.bpf.c' ! -name skeleton.c))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
UNIT    := $(sort $(wildcard tests/unit/*.c tests/reference/*.c))
BENCHES := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
SKY     := $(BUILD)/sky

all: $(SKY)

# What models in shared objects call is exported.
$(SKY): $(BUILD)/sky.o $(OBJECTS)
	$(CC) $(CFLAGS) $(LDFLAGS) -Wl,--export-dynamic-symbol='cache_slots_*' -o $@ $^ $(LDLIBS)

$(BUILD)/%.o: %.c | $(BUILD)/packages
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Truth by BPF: CO-RE with its own struct declarations, so that no vmlinux.h is needed.
$(BUILD)/%.bpf.o: %.bpf.c | $(BUILD)/packages
	@mkdir -p $(@D)
	$(CLANG) -O2 -g -target bpf -D__TARGET_ARCH_x86 -I/usr/include/x86_64-linux-gnu -Wall -c -o $@ $<
$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $(notdir $*)_bpf > $@.part && mv $@.part $@
$(BUILD)/capture/host/truth.o: $(BUILD)/capture/host/truth.skel.h

$(BUILD)/tests/unit/suite: $(UNIT:%.c=$(BUILD)/%.o) $(OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(CRITERION_LIBS)

$(FUZZERS) $(BENCHES): $(BUILD)/%: $(BUILD)/%.o $(OBJECTS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

include kvm-recorder/guest/guest.mk
include kvm-recorder/lab/lab.mk
include kvm-recorder/dkms/dkms.mk

deps:
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(PACKAGES)

unit: $(BUILD)/tests/unit/suite $(SKY)
	tests/run-unit $(BUILD)

e2e: $(SKY) guest $(BUILD)/tests/bench/make_trace
	tests/run-e2e $(BUILD)

# A machine without the packages gets them first, where it may.
check:
	@tests/need-packages "$(MAKE)"
	@$(MAKE) --no-print-directory check-built
check-built: $(SKY) guest $(BUILD)/tests/bench/make_trace $(BUILD)/tests/unit/suite $(FUZZERS)
	tests/run-all $(BUILD)

demo:
	@tests/need-packages "$(MAKE)" TEST_FILES=
	@$(MAKE) --no-print-directory $(SKY)
	workloads/demo $(BUILD)

policies: $(SKY)
	workloads/policies $(BUILD) $(TRACE)

bench: $(SKY) $(BENCHES)
	tests/bench/run $(BUILD)

fuzz: $(FUZZERS)
	tests/fuzz/run-long $(BUILD)

mutations:
	tests/mutations

paper-table5: $(SKY)
	workloads/table5 $(BUILD) "$(OPERATIONS)" "$(REPETITIONS)"

paper-figure4: $(SKY)
	workloads/figure4 $(BUILD) "$(WAIT)" "$(SIZE)"

paper-figure5: $(SKY)
	workloads/figure5 $(BUILD) "$(OPERATIONS)"

man: $(SKY)
	docs/make-man $(BUILD)

install: $(SKY) man
	install -D -m755 $(SKY) $(DESTDIR)$(PREFIX)/bin/sky
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m644 $(BUILD)/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/

clean:
	rm -rf build build-sanitize build-debug

format:
	clang-format -i $(SOURCES) sky.c $(wildcard tests/*/*.c) $(shell find $(ROOMS) -name '*.h')

.PHONY: all deps unit e2e check check-built demo policies bench fuzz mutations paper-table5 paper-figure4 paper-figure5 man install clean format
.SECONDARY:
-include $(shell find $(BUILD) -path $(BUILD)/lab -prune -o -name '*.d' -print 2>/dev/null)
