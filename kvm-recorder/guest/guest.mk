# SPDX-License-Identifier: GPL-2.0-or-later
#
# What runs inside a guest, or in a program that is recorded on the host: needs
# nothing but libc (of common/, headers that need no more), so that a guest can build it too.
#
# make guest      build/libskyguest.a, build/libskyguest.so, build/skytag, build/libskytag.so, build/skyrun
# make install-guest   header, libraries, skyguest.pc, manual pages

GUEST := kvm-recorder/guest

# Without a sanitizer, which the programs that use it don't have.
GUEST_CFLAGS := -O2 -g -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter -fPIC -fvisibility=hidden -I$(GUEST) -I.

GUEST_LIBRARIES := $(BUILD)/libskyguest.a $(BUILD)/libskyguest.so
GUEST_PAGES     := $(BUILD)/guest-man/iread.3 $(BUILD)/guest-man/skytag.1 $(BUILD)/guest-man/skyrun.1

$(BUILD)/$(GUEST)/%.o: $(GUEST)/%.c
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libskyguest.a: $(BUILD)/$(GUEST)/skyguest.o
	rm -f $@ && ar rcs $@ $^
$(BUILD)/libskyguest.so.0: $(BUILD)/$(GUEST)/skyguest.o
	$(CC) -shared -Wl,-soname,$(@F) -Wl,-z,defs -o $@ $^
$(BUILD)/libskyguest.so: $(BUILD)/libskyguest.so.0
	ln -sf $(<F) $@
$(BUILD)/skyguest.pc: $(GUEST)/skyguest.pc.in FORCE
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' $< >$@

TAG_OBJECTS := $(addprefix $(BUILD)/$(GUEST)/,skytag_rules.o skytag_innodb.o)
TAG_SHIM    := $(addprefix $(BUILD)/$(GUEST)/,skytag_shim.o skytag_files.o)
GUEST_TAG   := $(BUILD)/skytag $(BUILD)/libskytag.so

$(BUILD)/$(GUEST)/skytag.o: GUEST_CFLAGS += -DSKYTAG_VERSION='"$(VERSION)"'
$(BUILD)/skytag: $(BUILD)/$(GUEST)/skytag.o $(TAG_OBJECTS)
	$(CC) -o $@ $^
# With the library's functions inside, but not among its names.
$(BUILD)/libskytag.so: $(TAG_SHIM) $(TAG_OBJECTS) $(BUILD)/libskyguest.a
	$(CC) -shared -pthread -Wl,-z,defs -Wl,--exclude-libs,ALL -o $@ $^ -ldl

# Without libraries, for guests that have none.
$(BUILD)/$(GUEST)/skyrun.o: GUEST_CFLAGS += -DSKYRUN_VERSION='"$(VERSION)"'
$(BUILD)/skyrun: $(BUILD)/$(GUEST)/skyrun.o
	$(CC) -static -o $@ $^

# The unit tests call the library, too.
$(BUILD)/tests/unit/suite: $(BUILD)/libskyguest.a $(TAG_OBJECTS)

guest: $(GUEST_LIBRARIES) $(GUEST_TAG) $(BUILD)/skyrun
all: guest

# One page a source; the other functions that its NAME section names are links to it.
$(BUILD)/guest-man/%: $(GUEST)/%.in
	$(GUEST)/make-man $< $(VERSION) $(@D)

install-guest: guest $(BUILD)/skyguest.pc $(GUEST_PAGES)
	install -d $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/bin \
		$(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man3
	install -m755 $(BUILD)/skytag $(BUILD)/skyrun $(DESTDIR)$(PREFIX)/bin/
	install -m644 $(BUILD)/libskytag.so $(DESTDIR)$(PREFIX)/lib/
	install -m644 $(GUEST)/skyguest.h $(DESTDIR)$(PREFIX)/include/
	install -m644 $(BUILD)/libskyguest.a $(BUILD)/libskyguest.so.0 $(DESTDIR)$(PREFIX)/lib/
	ln -sf libskyguest.so.0 $(DESTDIR)$(PREFIX)/lib/libskyguest.so
	install -m644 $(BUILD)/skyguest.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/
	cp -P $(BUILD)/guest-man/*.3 $(DESTDIR)$(PREFIX)/share/man/man3/
	install -m644 $(BUILD)/guest-man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	if [ -z "$(DESTDIR)" ] && [ -w /etc/ld.so.cache ]; then ldconfig; fi

install: install-guest

.PHONY: guest install-guest FORCE
