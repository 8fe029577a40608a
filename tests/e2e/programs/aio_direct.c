/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * aio_direct FILE OPERATIONS [reap]: asynchronous direct I/O on a file that
 * exists, half reads, half writes of whole chunks at random places, several at
 * once. With `reap` completions are taken from the ring in memory, without a call.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEPTH	    16
#define BLOCK_BYTES 16384u

struct ring {
	unsigned id, events, head, tail, magic, compatible, incompatible, header_bytes;
	struct io_event event[];
};

static aio_context_t context;
static struct iocb requests[DEPTH];
static char *buffers[DEPTH];
static uint64_t busy[DEPTH]; /* place + 1: no two at once */

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void fill(char *buffer)
{
	for (unsigned i = 0; i < BLOCK_BYTES / sizeof(long); i++)
		((long *)buffer)[i] = random();
}

static uint64_t free_place(uint64_t places)
{
	for (;;) {
		uint64_t place = random() % places;
		int i;

		for (i = 0; i < DEPTH && busy[i] != place + 1; i++)
			;
		if (i == DEPTH)
			return place;
	}
}

static void submit(int fd, int slot, uint64_t places)
{
	struct iocb *request = &requests[slot];
	uint64_t place = free_place(places);

	busy[slot] = place + 1;
	memset(request, 0, sizeof(*request));
	request->aio_lio_opcode = random() % 2 ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE;
	request->aio_fildes = fd;
	request->aio_buf = (uintptr_t)buffers[slot];
	request->aio_nbytes = BLOCK_BYTES;
	request->aio_offset = place * BLOCK_BYTES;
	if (request->aio_lio_opcode == IOCB_CMD_PWRITE)
		fill(buffers[slot]);
	if (syscall(SYS_io_submit, context, 1, &request) != 1)
		fail("io_submit");
}

static int wait_by_call(void)
{
	struct io_event event;

	if (syscall(SYS_io_getevents, context, 1, 1, &event, NULL) != 1 ||
	    event.res != BLOCK_BYTES)
		fail("io_getevents");
	return (struct iocb *)(uintptr_t)event.obj - requests;
}

static int wait_in_memory(void)
{
	struct ring *ring = (struct ring *)context;
	struct io_event event;
	unsigned head = ring->head;

	while (__atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) == head)
		;
	event = ring->event[head];
	__atomic_store_n(&ring->head, (head + 1) % ring->events, __ATOMIC_RELEASE);
	if (event.res != BLOCK_BYTES)
		fail("completion");
	return (struct iocb *)(uintptr_t)event.obj - requests;
}

int main(int argc, char **argv)
{
	int (*wait)(void) = argc > 3 ? wait_in_memory : wait_by_call;
	int fd = argc < 3 ? -1 : open(argv[1], O_RDWR | O_DIRECT);
	long operations = argc < 3 ? 0 : atol(argv[2]);
	struct stat facts;

	if (fd < 0 || fstat(fd, &facts))
		fail("aio_direct FILE OPERATIONS [reap]");
	if (syscall(SYS_io_setup, DEPTH, &context))
		fail("io_setup");
	for (int i = 0; i < DEPTH; i++) {
		buffers[i] = aligned_alloc(4096, BLOCK_BYTES);
		if (!buffers[i])
			fail("memory");
		submit(fd, i, facts.st_size / BLOCK_BYTES);
	}
	for (long done = 0; done < operations; done++) {
		int slot = wait();

		busy[slot] = 0;
		if (done < operations - DEPTH)
			submit(fd, slot, facts.st_size / BLOCK_BYTES);
	}
	/* A call, so that a recorder can look at what was completed last. */
	return fsync(fd) ? 1 : 0;
}
