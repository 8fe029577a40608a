# SPDX-License-Identifier: GPL-2.0-or-later
#
# What Sky is built on: a pkg-config name, or a file, and the Debian package that has it.

LIBRARIES := hdf5-serial:libhdf5-dev blosc:libblosc-dev libpcap:libpcap-dev \
	     fuse3:libfuse3-dev libseccomp:libseccomp-dev mount:libmount-dev blkid:libblkid-dev \
	     libbpf:libbpf-dev gsl:libgsl-dev jansson:libjansson-dev libsodium:libsodium-dev zlib:zlib1g-dev \
	     libarchive:libarchive-dev ncurses:libncurses-dev criterion:libcriterion-dev
FILES     := /usr/bin/gcc:gcc /usr/include/stdio.h:libc6-dev \
	     /usr/include/libtrace.h:libtrace3-dev /usr/bin/clang:clang \
	     /usr/bin/gnuplot:gnuplot-nox /usr/sbin/mkfs.ext4:e2fsprogs \
	     /usr/sbin/mkfs.xfs:xfsprogs /usr/sbin/mkfs.btrfs:btrfs-progs \
	     /usr/lib/x86_64-linux-gnu/hdf5/serial/plugins/libH5Zblosc.so:hdf5-filter-plugin-blosc-serial \
	     /usr/bin/fusermount3:fuse3 /usr/bin/pkg-config:pkg-config /usr/sbin/bpftool:bpftool \
	     /usr/bin/help2man:help2man /usr/bin/mandoc:mandoc /usr/bin/strace:strace \
	     /usr/bin/h5dump:hdf5-tools /usr/bin/python3:python3 \
	     /usr/lib/python3/dist-packages/h5py:python3-h5py /usr/bin/jq:jq /usr/bin/gpg:gpg /usr/bin/gpg-agent:gpg-agent \
	     /usr/bin/tmux:tmux /usr/src/glibc:glibc-source /usr/bin/xz:xz-utils

# For the emulated host of kvm-recorder/lab: `make deps LAB=1` installs them too.
LAB_FILES := /usr/bin/qemu-system-x86_64:qemu-system-x86 /bin/busybox:busybox-static /bin/cpio:cpio /sbin/depmod:kmod /sbin/dmsetup:dmsetup \
	     /usr/bin/patch:patch /usr/lib/linux-kbuild-6.1:linux-headers-amd64 /usr/sbin/make-bcache:bcache-tools /usr/bin/lz4:lz4 /usr/bin/ps:procps \
	     /usr/bin/meson:meson /usr/bin/ninja:ninja-build /usr/include/glib-2.0/glib.h:libglib2.0-dev /usr/include/pixman-1/pixman.h:libpixman-1-dev \
	     /usr/sbin/mkfs.jfs:jfsutils /usr/sbin/mkfs.nilfs2:nilfs-tools /usr/sbin/mkfs.reiserfs:reiserfsprogs \
	     /usr/include/fdt.h:libfdt-dev /usr/include/attr/xattr.h:libattr1-dev /usr/include/cap-ng.h:libcap-ng-dev
ifdef LAB
FILES += $(LAB_FILES)
endif

# For the package of the kernel modules, `make kvm-dkms`, and its test.
DKMS_FILES := /usr/bin/dh:debhelper /usr/bin/dh_dkms:dh-dkms /usr/bin/dpkg-buildpackage:dpkg-dev /usr/bin/mmdebstrap:mmdebstrap
ifdef DKMS
FILES += $(DKMS_FILES)
endif

# For the host of bochs's, which has Intel's virtualisation: `make lab-vmx`.
VMX_FILES := /usr/bin/bochs-bin:bochs /usr/share/bochs/BIOS-bochs-latest:bochsbios /usr/share/vgabios/vgabios.bin:vgabios \
	     /usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so:bochs-term /usr/bin/grub-mkrescue:grub-common \
	     /usr/lib/grub/i386-pc/kernel.img:grub-pc-bin /usr/bin/xorriso:xorriso
ifdef VMX
FILES += $(VMX_FILES)
endif

# What only tests need and would be much to ask of who builds Sky.
TEST_FILES := /usr/sbin/mariadbd:mariadb-server-core /usr/bin/mariadb:mariadb-client-core

PACKAGES := make $(foreach pair,$(LIBRARIES) $(FILES) $(TEST_FILES),$(lastword $(subst :, ,$(pair))))

names := $(foreach pair,$(filter-out criterion:%,$(LIBRARIES)),$(firstword $(subst :, ,$(pair))))
PACKAGE_CFLAGS := $(shell pkg-config --cflags $(names) 2>/dev/null)
PACKAGE_LIBS   := $(shell pkg-config --libs $(names) 2>/dev/null)
CRITERION_LIBS := $(shell pkg-config --libs criterion 2>/dev/null)

# One sentence for everything that is missing, before the compiler can say it in a thousand; $(1) are more files.
define find-missing
missing=; \
for pair in $(LIBRARIES); do pkg-config --exists $${pair%%:*} 2>/dev/null || missing="$$missing $${pair##*:}"; done; \
for pair in $(FILES) $(1); do [ -e $${pair%%:*} ] || missing="$$missing $${pair##*:}"; done
endef

$(BUILD)/packages: packages.mk
	@mkdir -p $(@D)
	@$(call find-missing); if [ -n "$$missing" ]; then \
		echo "Sky can't be built without these packages: run \`make deps\` as root, or apt-get install$$missing" >&2; exit 1; fi
	@touch $@

missing:
	@$(call find-missing,$(TEST_FILES)); echo $$missing
.PHONY: missing
