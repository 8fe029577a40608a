/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes or reads a file or a raw disk by calls with classes.
 *
 * usage: classed_io write|read PATH PIECES
 *
 * Piece i has 1 to 7 chunks, each beginning with a tag that names its class
 * (classed_check.py looks for it on the disk); the pieces go through all calls
 * and all classes. Some are written by plain calls, some twice, some in parts
 * that no chunk begins or ends with. Reading uses another class: seven more.
 */
#include <fcntl.h>
#include <skyguest.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK	 4096
#define CHUNKS	 7
#define MAGIC	 0x41796b53u /* "SkyA" */
#define PLAIN	 255u
#define READ_TOO 7u

struct tag {
	uint32_t magic, io_class;
	uint64_t serial;
};

static unsigned char buffer[CHUNKS * CHUNK];

static void fill(unsigned io_class, unsigned chunks)
{
	static uint64_t serial;

	for (unsigned i = 0; i < chunks; i++) {
		struct tag tag = {.magic = MAGIC, .io_class = io_class, .serial = ++serial};
		uint64_t word = serial * 0x9e3779b97f4a7c15u;

		for (size_t at = 0; at < CHUNK; at += sizeof(word)) {
			word ^= word << 13;
			word ^= word >> 7;
			word ^= word << 17;
			memcpy(buffer + i * CHUNK + at, &word, sizeof(word));
		}
		memcpy(buffer + i * CHUNK, &tag, sizeof(tag));
	}
}

static void check(ssize_t got, size_t wanted, const char *what)
{
	if (got == (ssize_t)wanted)
		return;
	perror(what);
	exit(1);
}

/* In three parts, cut anywhere. */
static void split(struct iovec part[3], size_t bytes)
{
	part[0] = (struct iovec){buffer, 1000};
	part[1] = (struct iovec){buffer + 1000, bytes - 1777};
	part[2] = (struct iovec){buffer + bytes - 777, 777};
}

static void write_piece(int fd, unsigned i, size_t bytes, off_t offset, unsigned io_class)
{
	struct iovec part[3];

	lseek(fd, offset, SEEK_SET);
	switch (i % 5) {
	case 0:
		check(iwrite(fd, buffer, bytes, io_class), bytes, "iwrite");
		break;
	case 1:
		check(ipwrite(fd, buffer, bytes, offset, io_class), bytes, "ipwrite");
		break;
	case 2:
		split(part, bytes);
		check(iwritev(fd, part, 3, io_class), bytes, "iwritev");
		break;
	case 3: /* misaligned; the last part has the class that counts */
		check(iwrite(fd, buffer, 1000, (io_class + 1) % SKYGUEST_CLASSES), 1000, "iwrite");
		check(iwrite(fd, buffer + 1000, bytes - 1000, io_class), bytes - 1000, "iwrite");
		break;
	case 4: /* twice, other content with another class first */
		buffer[CHUNK - 1] ^= 1;
		check(iwrite(fd, buffer, bytes, (io_class + 1) % SKYGUEST_CLASSES), bytes,
		      "iwrite");
		buffer[CHUNK - 1] ^= 1;
		check(ipwrite(fd, buffer, bytes, offset, io_class), bytes, "ipwrite");
		break;
	}
}

static void read_piece(int fd, unsigned i, size_t bytes, off_t offset, unsigned io_class)
{
	struct iovec part[3];

	lseek(fd, offset, SEEK_SET);
	switch (i % 3) {
	case 0:
		check(iread(fd, buffer, bytes, io_class), bytes, "iread");
		break;
	case 1:
		check(ipread(fd, buffer, bytes, offset, io_class), bytes, "ipread");
		break;
	case 2:
		split(part, bytes);
		check(ireadv(fd, part, 3, io_class), bytes, "ireadv");
		break;
	}
}

int main(int argc, char **argv)
{
	int writes = argc == 4 && !strcmp(argv[1], "write");
	int fd = argc == 4 ? open(argv[2], O_RDWR | (writes ? O_CREAT : 0), 0644) : -1;
	unsigned pieces = argc == 4 ? atoi(argv[3]) : 0;
	off_t offset = 0;

	if (fd < 0) {
		perror("usage: classed_io write|read PATH PIECES");
		return 2;
	}
	for (unsigned i = 0; i < pieces; i++) {
		size_t bytes = (i % CHUNKS + 1) * CHUNK;
		unsigned io_class = i % SKYGUEST_CLASSES;
		int plain = i % 41 == 40;

		fill(plain ? PLAIN : io_class, bytes / CHUNK);
		if (!writes && plain)
			check(pread(fd, buffer, bytes, offset), bytes, "pread");
		else if (!writes)
			read_piece(fd, i, bytes, offset, (io_class + READ_TOO) % SKYGUEST_CLASSES);
		else if (plain)
			check(pwrite(fd, buffer, bytes, offset), bytes, "pwrite");
		else
			write_piece(fd, i, bytes, offset, io_class);
		offset += bytes;
	}
	if (writes && fsync(fd)) {
		perror("fsync");
		return 1;
	}
	return 0;
}
