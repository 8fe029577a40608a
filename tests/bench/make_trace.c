/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A synthetic stream for `make bench`: make_trace EVENTS [NS [FILES]] >T.pcap
 *
 * The mix of a file server: calls that write and read a few chunks of files
 * in turn, the disk requests that follow, metadata among them. Every write's
 * checksums come to the disk once, every read's are read back, so that the
 * pipeline does its real work. An event comes NS nanoseconds after the one
 * before (1500), FILES is how many files there are (1000). The same arguments
 * give the same bytes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "capture/calls.h"
#include "capture/source.h"

#define FILES	    1000
#define EVENT_NS    1500
#define CHUNKS_EACH 8
#define PER_ROUND   6

struct maker {
	struct sink *sink;
	uint64_t seq, time_ns, id, round, event_ns;
	uint64_t sums[CHUNKS_EACH];
};

static void emit(struct maker *m, struct event *e)
{
	e->seq = ++m->seq;
	e->time_ns = m->time_ns += m->event_ns;
	if (sink_write(m->sink, e, 1))
		exit(1);
}

static struct event call(struct maker *m, enum event_kind kind, enum call call)
{
	struct event e;

	event_init(&e, kind);
	e.pid = e.tid = 100 + m->round % 8;
	e.space = e.pid << 12;
	e.stack = 0x7ffd00000000 + m->round % 64;
	e.fs_base = 0x7f0000001740;
	e.cpu_ns = m->time_ns / 3;
	e.held_ns = 4000 + m->round % 511;
	if (kind == EVENT_ENTRY)
		e.entry.number = call_number(ABI_LINUX64, call);
	else
		e.exit.number = call_number(ABI_LINUX64, call);
	return e;
}

static void open_file(struct maker *m, uint64_t file)
{
	char path[64];
	struct event e;

	event_init(&e, EVENT_INSIGHT);
	e.insight.path.at = path;
	e.insight.path.count = snprintf(path, sizeof(path), "/data/folder-%d/file-%" PRIu64,
					(int)(file % 100), file);
	e.pid = e.tid = 100 + m->round % 8;
	e.insight.number = call_number(ABI_LINUX64, CALL_fstat);
	e.insight.fd = 3;
	e.insight.device = 0x700;
	e.insight.inode = 12 + file;
	e.insight.links = 1;
	e.insight.mode = 0100644;
	e.insight.size = CHUNKS_EACH * CHUNK_BYTES;
	emit(m, &e);
}

static void write_chunks(struct maker *m, uint64_t file)
{
	struct event e = call(m, EVENT_ENTRY, CALL_pwrite64);

	e.entry.argument[0] = 3;
	e.entry.argument[2] = sizeof(m->sums) / 8 * CHUNK_BYTES;
	e.entry.file_offset = 0;
	e.entry.sums = (struct words){m->sums, CHUNKS_EACH};
	emit(m, &e);
	e = call(m, EVENT_EXIT, CALL_pwrite64);
	e.exit.result = CHUNKS_EACH * CHUNK_BYTES;
	emit(m, &e);
}

static void request(struct maker *m, uint64_t sector, const uint64_t *sums, uint32_t chunks)
{
	struct event e;

	event_init(&e, EVENT_BLOCK);
	e.block.op = BLOCK_WRITE;
	e.block.id = ++m->id;
	e.block.sector = sector;
	e.block.sectors = chunks * SECTORS_PER_CHUNK;
	e.block.sums = (struct words){sums, chunks};
	emit(m, &e);
	event_init(&e, EVENT_COMPLETE);
	e.complete.id = m->id;
	emit(m, &e);
}

int main(int argc, char **argv)
{
	uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	uint64_t files = argc > 3 ? strtoull(argv[3], NULL, 10) : FILES;
	struct maker m = {.sink = stream_create(STDOUT_FILENO, "standard output")};

	m.event_ns = argc > 2 ? strtoull(argv[2], NULL, 10) : EVENT_NS;
	if (!events || !files || !m.sink) {
		fprintf(stderr, "usage: make_trace EVENTS [NS [FILES]] >T.pcap\n");
		return 2;
	}
	for (m.round = 0; m.seq + PER_ROUND < events; m.round++) {
		uint64_t file = m.round % files, metadata = m.round * 0x9e3779b97f4a7c15u;

		for (int i = 0; i < CHUNKS_EACH; i++)
			m.sums[i] = (m.round * CHUNKS_EACH + i + 1) * 0xbf58476d1ce4e5b9u;
		if (m.round < 8 || m.round % 50 == 0)
			open_file(&m, file);
		write_chunks(&m, file);
		request(&m, (1 + file) * CHUNKS_EACH * SECTORS_PER_CHUNK, m.sums, CHUNKS_EACH);
		if (m.round % 4 == 0)
			request(&m, m.round % 97 * SECTORS_PER_CHUNK, &metadata, 1);
	}
	return sink_commit(m.sink) ? 1 : 0;
}
