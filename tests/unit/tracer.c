/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checksums of chunks against an obvious model (files are byte arrays, a
 * write copies bytes, a chunk's checksum is that of 4096 bytes of the array),
 * and the tracer on real commands in a temporary folder.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/calls.h"
#include "capture/frame.h"
#include "capture/host/chunks.h"
#include "capture/host/recorder.h"
#include "common/fnv1a.h"

#define FILES	    3
#define FILE_BYTES  (700u << 10) /* more than two batches of chunks.c */
#define FILE_CHUNKS (FILE_BYTES / CHUNK_BYTES)

struct model {
	uint8_t bytes[FILES][FILE_BYTES]; /* beyond the size: zeros */
	uint64_t size[FILES];
	uint8_t data[FILE_BYTES]; /* of the transfer */
	unsigned file;
	size_t readable; /* of the transfer; the rest is a bad page */
	unsigned asked;	 /* how often the file was read */
	struct chunker *chunker;
};

static uint32_t random_below(uint32_t bound)
{
	return (uint32_t)random() % bound;
}

static size_t take_data(void *context, uint64_t at, void *buffer, size_t bytes)
{
	const struct model *model = context;
	size_t there = at < model->readable ? model->readable - at : 0;

	if (bytes > there)
		bytes = there;
	memcpy(buffer, model->data + at, bytes);
	return bytes;
}

static ssize_t take_file(void *context, uint64_t offset, void *buffer, size_t bytes)
{
	struct model *model = context;
	uint64_t size = model->size[model->file];
	size_t there = offset < size ? size - offset : 0;

	model->asked++;
	if (bytes > there)
		bytes = there;
	if (bytes > 1 && random_below(4) == 0)
		bytes /= 2; /* pread() may be short */
	memcpy(buffer, model->bytes[model->file] + offset, bytes);
	return bytes;
}

static uint64_t chunk_sum(const struct model *model, uint64_t chunk)
{
	return fnv1a_update(FNV1A_BASIS, model->bytes[model->file] + chunk * CHUNK_BYTES,
			    CHUNK_BYTES);
}

static struct chunk_file facts(const struct model *model)
{
	return (struct chunk_file){
		.device = 7, .inode = model->file + 1, .size = model->size[model->file]};
}

static struct model *new_model(unsigned seed)
{
	struct model *model = calloc(1, sizeof(*model));

	srandom(seed);
	cr_assert_not_null(model);
	model->chunker = chunker_new();
	cr_assert_not_null(model->chunker);
	return model;
}

static void free_model(struct model *model)
{
	chunker_free(model->chunker);
	free(model);
}

/* Small sequential appends, unaligned overwrites, holes, large aligned ones. */
static void choose_range(const struct model *model, uint64_t *offset, uint64_t *bytes)
{
	uint64_t size = model->size[model->file];

	*bytes = random_below(8) ? 1 + random_below(6000) : 1 + random_below(FILE_BYTES / 2);
	*offset = random_below(3) ? size : random_below(FILE_BYTES);
	if (random_below(4) == 0)
		*offset -= *offset % CHUNK_BYTES;
	if (*offset >= FILE_BYTES)
		*offset = 0;
	if (*bytes > FILE_BYTES - *offset)
		*bytes = FILE_BYTES - *offset;
}

static void apply_write(struct model *model, uint64_t offset, uint64_t bytes)
{
	memcpy(model->bytes[model->file] + offset, model->data, bytes);
	if (model->size[model->file] < offset + bytes)
		model->size[model->file] = offset + bytes;
}

static void check_sums(const struct model *model, const uint64_t *sums, uint64_t offset,
		       uint64_t bytes)
{
	for (uint64_t i = 0; i < chunk_count(offset, bytes); i++)
		cr_assert_eq(sums[i], chunk_sum(model, offset / CHUNK_BYTES + i),
			     "chunk %lu of a range of %lu bytes at %lu", (unsigned long)i,
			     (unsigned long)bytes, (unsigned long)offset);
}

static void model_write(struct model *model)
{
	struct chunk_source source = {.transfer = take_data, .file = take_file, .context = model};
	struct chunk_file file = facts(model);
	uint64_t offset, bytes, sums[FILE_CHUNKS + 1];
	struct chunk_state after;

	choose_range(model, &offset, &bytes);
	for (uint64_t i = 0; i < bytes; i++)
		model->data[i] = random();
	model->readable = bytes;
	chunk_sums_of_write(model->chunker, &source, &file, offset, bytes, sums, &after);
	if (random_below(10) == 0) { /* it failed */
		chunker_forget(model->chunker, file.device, file.inode);
		return;
	}
	apply_write(model, offset, bytes);
	check_sums(model, sums, offset, bytes);
	chunker_keep(model->chunker, &after);
}

static void model_read(struct model *model)
{
	struct chunk_source source = {.transfer = take_data, .file = take_file, .context = model};
	uint64_t size = model->size[model->file], offset, bytes, sums[FILE_CHUNKS + 1];
	struct chunk_file file = facts(model);

	choose_range(model, &offset, &bytes);
	if (!size)
		return;
	offset %= size;
	if (bytes > size - offset)
		bytes = size - offset;
	memcpy(model->data, model->bytes[model->file] + offset, bytes);
	model->readable = bytes;
	if (random_below(2))
		file.size = UINT64_MAX; /* not known */
	if (random_below(4) == 0)
		source.transfer = NULL; /* the file itself */
	chunk_sums_of_read(model->chunker, &source, &file, offset, bytes, sums);
	check_sums(model, sums, offset, bytes);
}

static void model_truncate(struct model *model)
{
	struct chunk_file file = facts(model);
	uint64_t size = random_below(4) ? random_below(FILE_BYTES) : 0;

	chunker_forget(model->chunker, file.device, file.inode);
	if (size < model->size[model->file])
		memset(model->bytes[model->file] + size, 0, FILE_BYTES - size);
	model->size[model->file] = size;
}

Test(tracer, chunks_are_what_the_file_will_have)
{
	for (unsigned seed = 1; seed <= 4; seed++) {
		struct model *model = new_model(seed);

		for (unsigned i = 0; i < 1500; i++) {
			unsigned what = random_below(20);

			model->file = random_below(FILES);
			if (what < 12)
				model_write(model);
			else if (what < 19)
				model_read(model);
			else
				model_truncate(model);
		}
		free_model(model);
	}
}

Test(tracer, small_sequential_appends_read_nothing)
{
	struct model *model = new_model(5);
	struct chunk_source source = {.transfer = take_data, .file = take_file, .context = model};

	for (uint64_t offset = 0; offset + 100 <= FILE_BYTES; offset += 100) {
		struct chunk_file file = facts(model);
		struct chunk_state after;
		uint64_t sums[2];

		memset(model->data, offset / 100, 100);
		model->readable = 100;
		chunk_sums_of_write(model->chunker, &source, &file, offset, 100, sums, &after);
		chunker_keep(model->chunker, &after);
		apply_write(model, offset, 100);
		check_sums(model, sums, offset, 100);
	}
	cr_assert_eq(model->asked, 0);
	free_model(model);
}

Test(tracer, nothing_is_guessed_behind_a_bad_page)
{
	struct model *model = new_model(6);
	struct chunk_source source = {.transfer = take_data, .file = take_file, .context = model};

	for (unsigned i = 0; i < 300; i++) {
		struct chunk_file file = facts(model);
		uint64_t offset = random_below(20000), bytes = 1 + random_below(400000), known;
		uint64_t sums[FILE_CHUNKS + 1];
		struct chunk_state after;

		model->readable = random_below(bytes);
		chunk_sums_of_write(model->chunker, &source, &file, offset, bytes, sums, &after);
		known = (offset % CHUNK_BYTES + model->readable) / CHUNK_BYTES;
		for (uint64_t chunk = 0; chunk < chunk_count(offset, bytes); chunk++)
			cr_assert_eq(sums[chunk] == SUM_UNKNOWN, chunk >= known);
		cr_assert_eq(after.bytes, 0);
	}
	free_model(model);
}

Test(tracer, ends_of_an_unreadable_file_are_unknown)
{
	struct model *model = new_model(7);
	struct chunk_source source = {.transfer = take_data, .context = model};
	struct chunk_file file = {.device = 7, .inode = 1, .size = 50000};
	struct chunk_state after;
	uint64_t sums[4];

	model->size[0] = 50000;
	model->readable = 12288;
	chunk_sums_of_write(model->chunker, &source, &file, 4096 + 100, 12288, sums, &after);
	cr_assert_eq(sums[0], SUM_UNKNOWN);
	cr_assert_neq(sums[1], SUM_UNKNOWN);
	cr_assert_neq(sums[2], SUM_UNKNOWN);
	cr_assert_eq(sums[3], SUM_UNKNOWN);
	cr_assert_eq(after.bytes, 0);
	free_model(model);
}

Test(tracer, a_file_that_grew_meanwhile_is_read_again)
{
	struct model *model = new_model(9);
	struct chunk_source source = {.transfer = take_data, .file = take_file, .context = model};
	struct chunk_file file = facts(model);
	struct chunk_state after;
	uint64_t sums[2];

	model->readable = 100;
	chunk_sums_of_write(model->chunker, &source, &file, 0, 100, sums, &after);
	apply_write(model, 0, 100);
	chunker_keep(model->chunker, &after);
	memset(model->bytes[0] + 100, 'x', 3000);
	model->size[0] = 3100;
	file = facts(model);
	chunk_sums_of_write(model->chunker, &source, &file, 100, 100, sums, &after);
	apply_write(model, 100, 100);
	check_sums(model, sums, 100, 100);
	free_model(model);
}

Test(tracer, nothing_is_remembered_once_told_so)
{
	struct model *model = new_model(8);
	struct chunk_source source = {.transfer = take_data, .file = take_file, .context = model};
	struct chunk_file file = facts(model);
	struct chunk_state after;
	uint64_t sums[2];

	model->readable = 100;
	chunk_sums_of_write(model->chunker, &source, &file, 0, 100, sums, &after);
	apply_write(model, 0, 100);
	chunker_keep(model->chunker, &after);
	chunker_stop_remembering(model->chunker);
	model->bytes[0][50] ^= 1; /* through a shared mapping */
	file = facts(model);
	chunk_sums_of_write(model->chunker, &source, &file, 100, 100, sums, &after);
	apply_write(model, 100, 100);
	check_sums(model, sums, 100, 100);
	free_model(model);
}

/* What the tests look at of a trace. */
struct trace {
	struct ring *ring;
	volatile bool ended;
	unsigned counts[EVENT_KINDS], calls[CALL_COUNT], refused[CALL_COUNT];
	uint64_t last_ns, inode; /* of the file called "out" */
	uint64_t sums[4096];	 /* the latest of its chunks */
	bool matched;		 /* entries and exits alternate in every thread */
	int32_t last_status;
	pid_t inside[64]; /* threads in a call */
};

static pid_t *place_of(struct trace *trace, pid_t tid)
{
	for (unsigned i = 0; i < 64; i++)
		if (trace->inside[i] == tid)
			return &trace->inside[i];
	return NULL;
}

static void note_entry(struct trace *trace, const struct event *event)
{
	const struct entry_event *entry = &event->entry;
	pid_t *place = place_of(trace, 0);

	trace->calls[call_by_number(ABI_LINUX64, entry->number)]++;
	trace->matched = trace->matched && place && !place_of(trace, event->tid);
	if (place)
		*place = event->tid;
	for (uint32_t i = 0; entry->file_offset != OFFSET_UNKNOWN && i < entry->sums.count; i++)
		if (entry->file_offset / CHUNK_BYTES + i < 4096)
			trace->sums[entry->file_offset / CHUNK_BYTES + i] = entry->sums.at[i];
}

static void note_exit(struct trace *trace, const struct event *event)
{
	const struct exit_event *exit = &event->exit;
	pid_t *place = place_of(trace, event->tid);

	if (exit->result == -ENOSYS)
		trace->refused[call_by_number(ABI_LINUX64, exit->number)]++;
	trace->matched = trace->matched && place;
	if (place)
		*place = 0;
	for (uint32_t i = 0; i < exit->written.count; i++)
		if (exit->written_offset / CHUNK_BYTES + i < 4096)
			trace->sums[exit->written_offset / CHUNK_BYTES + i] = exit->written.at[i];
}

static void note(struct trace *trace, const struct event *event)
{
	trace->counts[event->kind]++;
	cr_assert_geq(event->time_ns, trace->last_ns);
	trace->last_ns = event->time_ns;
	if (event->kind == EVENT_ENTRY)
		note_entry(trace, event);
	else if (event->kind == EVENT_EXIT)
		note_exit(trace, event);
	else if (event->kind == EVENT_GONE)
		trace->last_status = event->gone.status;
}

static void *consume(void *argument)
{
	static uint64_t words[1 << 18];
	struct trace *trace = argument;

	for (;;) {
		bool ended = trace->ended;
		const void *record;
		uint64_t time_ns;
		size_t bytes;

		while (ring_peek(trace->ring, &record, &bytes, &time_ns)) {
			struct event event;

			cr_assert_null(event_decode(&event, record, bytes, words));
			note(trace, &event);
			ring_pop(trace->ring);
		}
		if (ended)
			return NULL;
		usleep(1000);
	}
}

/* Traces a shell script in a temporary folder, which is left there; its wait status. */
static int trace_script(struct trace *trace, char *folder, const char *script, bool copy_offload)
{
	char *command[] = {"sh", "-c", (char *)script, NULL};
	struct tracer_options options = {
		.command = command, .folder = folder, .copy_offload = copy_offload};
	struct statx facts;
	pthread_t consumer;
	int status = -1;

	cr_assert_not_null(mkdtemp(folder));
	cr_assert_eq(statx(AT_FDCWD, folder, 0, STATX_BASIC_STATS | STATX_MNT_ID, &facts), 0);
	options.mount_device = makedev(facts.stx_dev_major, facts.stx_dev_minor);
	options.mount_id = facts.stx_mnt_id;
	memset(trace, 0, sizeof(*trace));
	trace->matched = true;
	trace->ring = ring_new(16 << 20);
	cr_assert_not_null(trace->ring);
	options.ring = trace->ring;
	pthread_create(&consumer, NULL, consume, trace);
	cr_assert_eq(trace_command(&options, &status), 0);
	trace->ended = true;
	pthread_join(consumer, NULL);
	ring_free(trace->ring);
	return status;
}

static void remove_folder(const char *folder)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

/* The latest checksums that the trace has against those of the file. */
static void check_file(const struct trace *trace, const char *folder, const char *name)
{
	uint8_t chunk[CHUNK_BYTES];
	char path[256];
	ssize_t bytes;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY);
	cr_assert_geq(fd, 0);
	for (unsigned i = 0; (bytes = read(fd, chunk, sizeof(chunk))) > 0; i++) {
		memset(chunk + bytes, 0, sizeof(chunk) - bytes);
		cr_assert_eq(trace->sums[i], fnv1a_update(FNV1A_BASIS, chunk, sizeof(chunk)),
			     "chunk %u of %s", i, name);
	}
	close(fd);
}

static struct trace trace;

Test(tracer, a_command_and_its_children_are_followed)
{
	char folder[] = "/tmp/sky-tracer-XXXXXX";
	int status = trace_script(&trace, folder,
				  "(sleep 0.05 & cat /dev/null | cat) & wait; exit 7", true);

	cr_assert(WIFEXITED(status));
	cr_assert_eq(WEXITSTATUS(status), 7);
	cr_assert(trace.matched);
	cr_assert_eq(trace.counts[EVENT_MONITOR], 1);
	cr_assert_eq(trace.counts[EVENT_GONE], trace.counts[EVENT_FORK] + 1);
	cr_assert_eq(trace.counts[EVENT_ENTRY], trace.counts[EVENT_EXIT]);
	cr_assert_geq(trace.counts[EVENT_EXEC], 2);
	remove_folder(folder);
}

Test(tracer, signals_and_their_deaths_pass_through)
{
	char folder[] = "/tmp/sky-tracer-XXXXXX";
	int status = trace_script(&trace, folder,
				  "trap 'echo caught >out' USR1; kill -USR1 $$; "
				  "sh -c 'kill -STOP $$' & sleep 0.2; kill -CONT $!; wait; "
				  "kill -TRAP $(sh -c 'echo $PPID') 2>/dev/null; kill -KILL $$",
				  true);

	cr_assert(WIFSIGNALED(status));
	check_file(&trace, folder, "out");
	remove_folder(folder);
}

Test(tracer, appended_lines_have_the_checksums_of_the_file)
{
	char folder[] = "/tmp/sky-tracer-XXXXXX";
	int status = trace_script(&trace, folder,
				  "i=0; while [ $i -lt 300 ]; do echo line $i of an odd length; "
				  "i=$((i + 1)); done >out",
				  true);

	cr_assert_eq(status, 0);
	check_file(&trace, folder, "out");
	remove_folder(folder);
}

Test(tracer, copies_inside_the_kernel_have_the_checksums_of_the_file)
{
	char folder[] = "/tmp/sky-tracer-XXXXXX";
	int status =
		trace_script(&trace, folder,
			     "head -c 300001 /dev/urandom >in; cp in out; cat in in >>out", true);

	cr_assert_eq(status, 0);
	cr_assert_gt(trace.calls[CALL_copy_file_range], 0);
	check_file(&trace, folder, "out");
	remove_folder(folder);
}

Test(tracer, without_copy_offload_programs_read_and_write)
{
	char folder[] = "/tmp/sky-tracer-XXXXXX";
	int status = trace_script(&trace, folder,
				  "head -c 300001 /dev/urandom >in; cp in out; cat in in >>out; "
				  "cat in in in | cmp - out; install in other && cmp in other",
				  false);

	cr_assert_eq(status, 0);
	cr_assert_gt(trace.refused[CALL_copy_file_range], 0);
	cr_assert_eq(trace.refused[CALL_copy_file_range], trace.calls[CALL_copy_file_range]);
	remove_folder(folder);
}

Test(tracer, a_command_that_is_not_there_is_said)
{
	char *command[] = {"/nonexistent/program", NULL};
	struct tracer_options options = {.command = command, .folder = "/tmp"};
	int status;

	options.ring = ring_new(1 << 16);
	cr_assert_not_null(options.ring);
	cr_assert_eq(trace_command(&options, &status), -1);
	ring_free(options.ring);
}
