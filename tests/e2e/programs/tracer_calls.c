// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every way of writing and reading that the recorder knows, on files of the
 * working folder, each with content of its own. Ends with 0, or says which
 * call failed. For tests/e2e/tracer.sh.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEED(condition)                                                            \
	do {                                                                       \
		if (!(condition)) {                                                \
			fprintf(stderr, "line %d: %s: %s\n", __LINE__, #condition, \
				strerror(errno));                                  \
			exit(1);                                                   \
		}                                                                  \
	} while (0)

#define BIG 300007

static char data[BIG];

static void fill(void)
{
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = random();
}

static int create(const char *name, int flags)
{
	int fd = open(name, O_CREAT | O_TRUNC | flags, 0644);

	NEED(fd >= 0);
	return fd;
}

static void plain(void)
{
	int fd = create("plain", O_WRONLY);

	fill();
	NEED(write(fd, data, BIG) == BIG);
	NEED(lseek(fd, 4090, SEEK_SET) == 4090);
	NEED(write(fd, "across a boundary", 17) == 17);
	NEED(pwrite(fd, data + 5, 9000, 100001) == 9000);
	NEED(lseek(fd, 500000, SEEK_SET) == 500000); /* a hole */
	NEED(write(fd, data, 10) == 10);
	close(fd);
}

static void vectors(void)
{
	struct iovec parts[4] = {{data, 1000}, {data + 5000, 0}, {data + 9000, 70001}, {data, 3}};
	int fd = create("vectors", O_RDWR);
	char back[80000];
	struct iovec into[2] = {{back, 13}, {back + 13, 71004 - 13}};

	fill();
	NEED(writev(fd, parts, 4) == 71004);
	NEED(pwritev(fd, parts, 3, 50001) == 71001);
	NEED(pwritev2(fd, parts, 1, -1, 0) == 1000);
	NEED(pwritev2(fd, parts, 1, 0, RWF_APPEND) == 1000);
	NEED(preadv(fd, into, 2, 77) == 71004);
	NEED(lseek(fd, 0, SEEK_SET) == 0);
	NEED(readv(fd, into, 2) == 71004);
	close(fd);
}

/* Processes with open files of their own append to one file. */
static void appenders(void)
{
	for (int child = 0; child < 4; child++) {
		if (fork())
			continue;
		int fd = open("appenders", O_CREAT | O_WRONLY | O_APPEND, 0644);

		srandom(child);
		for (int i = 0; i < 60; i++) {
			fill();
			NEED(write(fd, data, 700 + i) == 700 + i);
		}
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
}

/* A descriptor comes through a socket, under a number that was another file before. */
static void passed(void)
{
	char control[CMSG_SPACE(sizeof(int))], byte = 0;
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	struct cmsghdr *header;
	int pair[2], fd, got;

	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	if (!fork()) {
		fd = create("passed", O_RDWR);
		NEED(write(fd, "first", 5) == 5);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
		NEED(sendmsg(pair[1], &message, 0) == 1);
		_exit(0);
	}
	fd = create("decoy", O_WRONLY);
	NEED(write(fd, "decoy", 5) == 5);
	NEED(syscall(SYS_close_range, fd, fd, 0) == 0);
	NEED(recvmsg(pair[0], &message, 0) == 1);
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(got));
	NEED(got == fd);
	fill();
	NEED(write(got, data, 5000) == 5000);
	NEED(dup2(got, 100) == 100);
	close(got);
	NEED(write(100, data + 1, 5000) == 5000);
	NEED(fcntl(100, F_DUPFD, 200) == 200);
	NEED(write(200, data + 2, 5000) == 5000);
	close(200);
	close(100);
	wait(NULL);
}

static void copies(void)
{
	int in = create("source", O_RDWR), out = create("copied", O_RDWR), pipes[2];
	off_t at = 11, to = 4096 * 30 + 5;

	fill();
	NEED(write(in, data, BIG) == BIG);
	NEED(copy_file_range(in, &at, out, NULL, 1ul << 62, 0) == BIG - 11);
	at = 8192;
	NEED(copy_file_range(in, &at, out, &to, 50000, 0) == 50000);
	at = 4096;
	NEED(sendfile(out, in, &at, 10000) == 10000);
	NEED(pipe(pipes) == 0);
	at = 5;
	NEED(splice(in, &at, pipes[1], NULL, 30000, 0) == 30000);
	to = 777;
	NEED(splice(pipes[0], NULL, out, &to, 30000, 0) == 30000);
	close(pipes[0]);
	close(pipes[1]);
	close(in);
	close(out);
}

static void changed(void)
{
	int fd = create("changed", O_RDWR);
	char *map;

	fill();
	NEED(write(fd, data, 100) == 100);
	NEED(ftruncate(fd, 50) == 0);
	NEED(lseek(fd, 0, SEEK_END) == 50);
	NEED(write(fd, data, 100) == 100); /* an append to what isn't what was written */
	NEED(truncate("changed", 5000) == 0);
	NEED(lseek(fd, 0, SEEK_END) == 5000);
	NEED(write(fd, data, 100) == 100);
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NEED(map != MAP_FAILED);
	map[4100] ^= 1;
	NEED(write(fd, data, 100) == 100);
	munmap(map, 8192);
	close(fd);
}

/* The buffer ends in a page that isn't there: the call writes what there is. */
static void short_write(void)
{
	void *volatile nowhere = (void *)16;
	int fd = create("short", O_WRONLY);
	ssize_t done;
	char *map =
		mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(map != MAP_FAILED);
	memset(map, 'x', 3 * 4096);
	munmap(map + 2 * 4096, 4096);
	done = write(fd, map + 100, 3 * 4096 - 100);
	NEED(done > 0 && done <= 2 * 4096 - 100); /* how much is the file system's choice */
	NEED(write(fd, nowhere, 100) == -1 && errno == EFAULT);
	NEED(write(fd, data, 10) == 10);
	close(fd);
}

static void asynchronous(void)
{
	int fd = create("asynchronous", O_RDWR | O_DIRECT);
	struct iocb iocbs[4] = {0}, *list[4];
	struct io_event events[4];
	aio_context_t context = 0;
	char *buffer;

	NEED(posix_memalign((void **)&buffer, 4096, 8 * 8192) == 0);
	fill();
	memcpy(buffer, data, 4 * 8192);
	NEED(syscall(SYS_io_setup, 8, &context) == 0);
	for (int i = 0; i < 4; i++) {
		iocbs[i].aio_fildes = fd;
		iocbs[i].aio_lio_opcode = IOCB_CMD_PWRITE;
		iocbs[i].aio_buf = (uintptr_t)buffer + i * 8192;
		iocbs[i].aio_nbytes = 8192;
		iocbs[i].aio_offset = i * 8192;
		list[i] = &iocbs[i];
	}
	NEED(syscall(SYS_io_submit, context, 4, list) == 4);
	NEED(syscall(SYS_io_getevents, context, 4, 4, events, NULL) == 4);
	for (int i = 0; i < 4; i++) {
		iocbs[i].aio_lio_opcode = IOCB_CMD_PREAD;
		iocbs[i].aio_buf += 4 * 8192;
	}
	NEED(syscall(SYS_io_submit, context, 4, list) == 4);
	NEED(syscall(SYS_io_getevents, context, 4, 4, events, NULL) == 4);
	NEED(!memcmp(buffer, buffer + 4 * 8192, 4 * 8192));
	syscall(SYS_io_destroy, context);
	free(buffer);
	close(fd);
}

/* io_uring is refused; the recorder says so once. */
static void rings(void)
{
	char parameters[120] = {0};

	NEED(syscall(SYS_io_uring_setup, 8, parameters) == -1 && errno == ENOSYS);
	NEED(syscall(SYS_io_uring_setup, 8, parameters) == -1 && errno == ENOSYS);
}

/* All that was written, read in pieces of every alignment. */
static void read_back(void)
{
	static const char *const names[] = {"plain", "vectors", "appenders", "copied"};
	char buffer[16000];

	for (int i = 0; i < 4; i++) {
		int fd = open(names[i], O_RDONLY), size = 1;

		NEED(fd >= 0);
		while (read(fd, buffer, size) > 0)
			size = size % 9973 + 611;
		NEED(pread(fd, buffer, 5000, 3) == 5000);
		close(fd);
	}
}

int main(void)
{
	plain();
	vectors();
	appenders();
	passed();
	copies();
	changed();
	short_write();
	asynchronous();
	rings();
	read_back();
	return 0;
}
