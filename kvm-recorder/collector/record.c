/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sky record --kvm`: the order of things.
 *
 * rings attached -> stream -> command -> rounds of merging, until something
 * ends the recording -> rings emptied up to that moment -> rings detached ->
 * archive. One thread does it all. Nothing here can hold up a guest: where this
 * falls behind, the rings are full and count what they lose.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "capture/convert.h"
#include "capture/host/spawn.h"
#include "capture/record_command.h"
#include "common/command.h"
#include "common/error.h"
#include "common/output.h"
#include "choice.h"
#include "guests.h"
#include "merge.h"
#include "options.h"
#include "writer.h"

#define NAP_NS	 2000000
#define LOOK_NS	 1000000000ull /* between two looks for virtual CPUs that came later */
/* Room for those; KVM's limit is 1024 (KVM_MAX_VCPUS). */
#define MORE_RINGS_MAX 1024
#define GRACE_NS 5000000000ull /* for a record that is being filled in when recording ends */

struct session {
	const struct kvm_options *options;
	pid_t machine; /* -1: none */
	struct attached_ring *rings;
	size_t rings_max;
	struct merge merge; /* a feed a ring */
	struct attributes attributes;
	struct writer writer;
	struct choice *choice; /* NULL: no machine */
	pid_t command; /* 0: none, or it has ended */
	int status;    /* as wait(2) has it */
	uint64_t begun_ns, looked_ns, looked_for_vcpus_ns;
	bool failed; /* the trace is not whole */
};

static volatile sig_atomic_t stop_signals;

/* The first one is the command's, if there is one, whose end ends the recording; the second ends it. */
static void on_signal(int signal)
{
	stop_signals++;
	if (signal != SIGINT) /* which the terminal sends to both */
		spawn_forward_signal(signal);
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* One more ring to merge; its feed's name is the kernel's, in the ring's first page. */
static int add_ring(struct session *s, const char *source, uint32_t disk, bool is_vcpu)
{
	struct attached_ring *ring = &s->rings[s->merge.count];
	uint64_t now_ns = monotonic_ns();

	if (ring_attach(ring, source, s->options->ring_bytes))
		return -1;
	s->merge.feeds[s->merge.count++] = (struct feed){
		.ring = ring->ring,
		.name = ring->ring.page->name,
		.disk = disk,
		.is_vcpu = is_vcpu,
		.floor_ns = now_ns,
	};
	return 0;
}

static bool is_attached(const struct session *s, const char *source)
{
	for (size_t i = 0; i < s->merge.count; i++)
		if (!s->merge.feeds[i].ended && !strcmp(s->merge.feeds[i].name, source))
			return true;
	return false;
}

/* All of the machine that are not yet. */
static int attach_vcpus(struct session *s, const source_name *sources, size_t count)
{
	unsigned vcpu;
	pid_t pid;

	for (size_t i = 0; i < count && s->merge.count < s->rings_max; i++)
		if (source_is_vcpu(sources[i], &pid, &vcpu) && pid == s->machine &&
		    !is_attached(s, sources[i]) && add_ring(s, sources[i], 0, true))
			return -1;
	return 0;
}

static int attach_machine(struct session *s, const source_name *sources, size_t count)
{
	const char *wanted = s->options->machine;

	s->machine = -1;
	if (!wanted)
		return 0;
	s->machine = guest_find(wanted, sources, count);
	return s->machine < 0 ? -1 : attach_vcpus(s, sources, count);
}

static int attach_disks(struct session *s)
{
	char source[256];

	for (unsigned i = 0; i < s->options->disk_count; i++) {
		snprintf(source, sizeof(source), "disk %s", s->options->disks[i]);
		if (add_ring(s, source, i, false))
			return -1;
	}
	return 0;
}

static int attach(struct session *s)
{
	size_t count = 0;
	source_name *sources = ring_sources(&count);
	int rc = -1;

	if (!sources)
		return -1;
	s->rings_max = count + s->options->disk_count + MORE_RINGS_MAX;
	s->rings = calloc(s->rings_max, sizeof(*s->rings));
	s->merge.feeds = calloc(s->rings_max, sizeof(*s->merge.feeds));
	if (!s->rings || !s->merge.feeds)
		fail("out of memory for %zu rings", s->rings_max);
	else if (!attach_machine(s, sources, count))
		rc = attach_disks(s);
	free(sources);
	return rc;
}

static void detach(struct session *s)
{
	for (size_t i = 0; i < s->merge.count; i++)
		ring_detach(&s->rings[i]);
	free(s->rings);
	free(s->merge.feeds);
	s->merge.count = 0;
}

static void collect_attributes(struct session *s)
{
	const struct kvm_options *o = s->options;
	struct attributes *a = &s->attributes;
	char name[GUEST_NAME_BYTES];

	attributes_add_machine(a, "kvm", o->abi == ABI_FREEBSD64 ? "freebsd64" : "linux64");
	if (s->machine >= 0) {
		guest_name(s->machine, name);
		attributes_add(a, "vm.pid", "%d", (int)s->machine);
		attributes_add_text(a, "vm.name", *name ? name : NULL);
		attributes_add(a, "vm.vcpus", "%zu", s->merge.count - o->disk_count);
	}
	for (unsigned i = 0; i < o->disk_count; i++) {
		snprintf(name, sizeof(name), "disk.%u.name", i);
		attributes_add_text(a, name, o->disks[i]);
	}
	attributes_add_text(a, "only", o->only);
	attributes_add(a, "ring_bytes", "%llu", (unsigned long long)o->ring_bytes);
	attributes_add(a, "calls", s->machine >= 0 ? "kvm" : "none");
	attributes_add(a, "truth", "none: not on the host");
	attributes_add_command(a, "command", o->command);
}

/* An archive needs a stream that can be read again, and a place. */
static int check_places(const struct kvm_options *o)
{
	struct output output;
	struct stat st;

	if (!o->output)
		return 0;
	if (!stat(o->stream, &st) && !S_ISREG(st.st_mode))
		return fail(
			"%s is no file, so nothing is left to make %s of; leave out -o, or give "
			"--stream a file",
			o->stream, o->output);
	if (output_begin(&output, o->output))
		return -1;
	output_abandon(&output);
	return 0;
}

static int begin(struct session *s)
{
	const struct kvm_options *o = s->options;

	s->begun_ns = monotonic_ns();
	if (check_places(o) || attach(s))
		return -1;
	s->choice = s->machine >= 0 ? choice_begin(o, s->machine, &s->rings[0]) : NULL;
	if (s->machine >= 0 && !s->choice)
		return -1;
	collect_attributes(s);
	s->writer = (struct writer){
		.path = o->stream,
		.rotate_bytes = o->rotate_bytes,
		.attributes = &s->attributes,
		.seq = &s->merge.seq,
	};
	if (writer_begin(&s->writer, s->begun_ns))
		return -1;
	if (!o->command)
		return 0;
	s->command = spawn_begin(o->command, NULL, false);
	return s->command < 0 ? -1 : 0;
}

static bool command_ended(struct session *s)
{
	if (!s->command || !spawn_end(s->command, false, &s->status))
		return false;
	s->command = 0;
	return true;
}

/* The disks may outlive their machine. */
static bool machine_ended(const struct session *s)
{
	size_t vcpus = 0;

	for (size_t i = 0; i < s->merge.count; i++) {
		if (s->merge.feeds[i].is_vcpu && !s->merge.feeds[i].ended)
			return false;
		vcpus += s->merge.feeds[i].is_vcpu;
	}
	return vcpus > 0;
}

/* A virtual CPU may be added to a running machine. */
static void look_for_vcpus(struct session *s, uint64_t now_ns)
{
	source_name *sources;
	size_t count = 0;

	if (s->machine < 0 || s->merge.count == s->rings_max ||
	    now_ns - s->looked_for_vcpus_ns < LOOK_NS)
		return;
	s->looked_for_vcpus_ns = now_ns;
	sources = ring_sources(&count);
	if (!sources || attach_vcpus(s, sources, count)) {
		warn("virtual CPUs that are added to the machine from now on are not recorded");
		s->rings_max = s->merge.count;
	}
	free(sources);
}

static bool shall_end(struct session *s, uint64_t now_ns)
{
	if (s->options->duration_ns && now_ns - s->begun_ns >= s->options->duration_ns)
		return true;
	if (stop_signals > (s->command ? 1 : 0))
		return true;
	if (now_ns - s->looked_ns < NAP_NS)
		return false; /* what follows costs a system call */
	s->looked_ns = now_ns;
	return command_ended(s) || machine_ended(s);
}

/* Have all rings given what they had up to then? After a while those that don't are left behind. */
static bool all_done(struct session *s, uint64_t until_ns, uint64_t now_ns)
{
	bool waited = until_ns != UINT64_MAX && now_ns - until_ns > GRACE_NS;

	for (struct feed *f = s->merge.feeds; f < s->merge.feeds + s->merge.count; f++) {
		if (feed_done(f, until_ns))
			continue;
		if (!waited)
			return false;
		s->failed = true;
		warn("the kernel doesn't complete a record of \"%s\"; what came behind it is lost",
		     f->name);
	}
	return true;
}

static void nap(void)
{
	const struct timespec time = {.tv_nsec = NAP_NS};

	nanosleep(&time, NULL);
}

static int end_losses(struct session *s)
{
	struct event *events = calloc(s->merge.count, sizeof(*events));
	int rc;

	if (!events)
		return fail("out of memory for the end of the trace");
	rc = writer_write(&s->writer, events, merge_end(&s->merge, events));
	free(events);
	return rc;
}

static int collect(struct session *s)
{
	static struct event events[BATCH_EVENTS];
	uint64_t until_ns = UINT64_MAX, now_ns;
	ssize_t count;

	for (;;) {
		now_ns = monotonic_ns();
		if (until_ns == UINT64_MAX && shall_end(s, now_ns))
			until_ns = now_ns;
		count = merge_next(&s->merge, events, BATCH_EVENTS, now_ns, until_ns);
		if (count < 0 || writer_write(&s->writer, events, count) ||
		    writer_flush(&s->writer, now_ns))
			return -1;
		choice_notice(s->choice, events, count);
		merge_release(&s->merge);
		choice_serve(s->choice, now_ns);
		if (until_ns == UINT64_MAX)
			look_for_vcpus(s, now_ns);
		if (count)
			continue;
		if (all_done(s, until_ns, now_ns))
			return end_losses(s);
		nap();
	}
}

static int make_archive(const struct session *s)
{
	const struct kvm_options *o = s->options;

	if (!o->output)
		return 0;
	if (convert_file(o->stream, o->output))
		return fail("what was recorded is in %s; see `sky convert --help`", o->stream);
	if (o->stream_beside)
		unlink(o->stream_beside);
	return 0;
}

/* The command goes on unrecorded, if something else ended the recording. */
static void await_command(struct session *s)
{
	if (s->command > 0 && spawn_end(s->command, true, &s->status) < 0)
		s->failed = true;
}

static void tell_losses(const struct session *s)
{
	if (s->merge.lost)
		warn("%llu events were lost, %llu are in the trace; a larger --ring loses fewer",
		     (unsigned long long)s->merge.lost, (unsigned long long)s->merge.events);
}

static int record(const struct kvm_options *options)
{
	struct session s = {.options = options};
	bool broken;

	spawn_catch_signals((const int[]){SIGINT, SIGTERM, SIGHUP, 0}, on_signal);
	if (begin(&s)) {
		writer_end(&s.writer, true);
		choice_end(s.choice);
		if (s.writer.part && options->stream_beside)
			unlink(options->stream_beside);
		detach(&s);
		attributes_free(&s.attributes);
		return EXIT_FAILURE;
	}
	broken = collect(&s);
	broken = writer_end(&s.writer, broken) || broken;
	choice_end(s.choice);
	detach(&s);
	tell_losses(&s);
	await_command(&s);
	attributes_free(&s.attributes);
	if (broken || s.failed || make_archive(&s))
		return EXIT_FAILURE;
	return WIFSIGNALED(s.status) ? 128 + WTERMSIG(s.status) : WEXITSTATUS(s.status);
}

static int kvm_run(int argc, char **argv)
{
	struct kvm_options options;
	int rc;

	if (kvm_parse(argc, argv, &options))
		return EXIT_FAILURE;
	rc = options.list ? guests_list(options.as_json) : record(&options);
	kvm_options_free(&options);
	return rc;
}

SKY_RECORDER(kvm, "kvm",
	     "a virtual machine's system calls and its disks' requests, by the host's kernel",
	     kvm_run);
