/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may go wrong between a program and libc, done with and without the shim:
 * every step checks that it works as it does without. Files are named
 * after the class that tests/e2e/skytag.sh gives them; the bytes of each that
 * must be tagged are there, too.
 *
 * usage: skytag_calls FOLDER        all steps
 *        skytag_calls FOLDER child  one write, by a program that was executed
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK	4096
#define THREADS 4
#define ROUNDS	500

extern char **environ;

static char data[16 * CHUNK], back[16 * CHUNK];
static char *self;

__attribute__((format(printf, 1, 2))) static void die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, ": %s\n", strerror(errno));
	exit(1);
}

#define EXPECT(expression)                                         \
	do {                                                       \
		if (!(expression))                                 \
			die("line %d: %s", __LINE__, #expression); \
	} while (0)

static int open_new(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	EXPECT(fd >= 0);
	return fd;
}

static void expect_content(const char *name, const char *wanted, size_t bytes)
{
	int fd = open(name, O_RDONLY);

	EXPECT(fd >= 0);
	EXPECT(lseek(fd, 0, SEEK_END) == (off_t)bytes);
	for (size_t done = 0; done < bytes; done += CHUNK)
		EXPECT(pread(fd, back + done, bytes - done < CHUNK ? bytes - done : CHUNK, done) >
		       0);
	EXPECT(!memcmp(back, wanted, bytes));
	EXPECT(pread(fd, back, 1, bytes) == 0);
	EXPECT(close(fd) == 0);
}

/* 6: 4096 bytes; 7: 8192. The same number means another file. */
static void reuse_descriptors(void)
{
	int first = open_new("reused.6"), second;

	EXPECT(write(first, data, CHUNK) == CHUNK);
	EXPECT(close(first) == 0);
	EXPECT(write(first, data, 1) == -1 && errno == EBADF);
	second = open_new("reused.7");
	EXPECT(second == first);
	EXPECT(write(second, data, 2 * CHUNK) == 2 * CHUNK);
	EXPECT(close(second) == 0);
	expect_content("reused.6", data, CHUNK);
}

/* 8: 3 * 4096; 9: 4096. */
static void duplicate_descriptors(void)
{
	int first = open_new("dup.8"), second = open_new("dup.9"), copy;

	EXPECT(write(first, data, CHUNK) == CHUNK);
	EXPECT(write(second, data, CHUNK) == CHUNK);
	copy = dup(first);
	EXPECT(copy > second);
	EXPECT(write(copy, data + CHUNK, CHUNK) == CHUNK);
	EXPECT(dup2(first, second) == second);
	EXPECT(write(second, data + 2 * CHUNK, CHUNK) == CHUNK);
	EXPECT(close(first) == 0 && close(second) == 0 && close(copy) == 0);
	expect_content("dup.8", data, 3 * CHUNK);
}

/* 10: 2 * 4096, of which a child writes half; no class on its pipe. */
static void fork_a_child(void)
{
	int fd = open_new("fork.10"), ends[2], status;
	pid_t child;

	EXPECT(pipe(ends) == 0);
	EXPECT(write(fd, data, CHUNK) == CHUNK);
	child = fork();
	if (!child)
		_exit(write(fd, data + CHUNK, CHUNK) != CHUNK || write(ends[1], "x", 1) != 1);
	EXPECT(waitpid(child, &status, 0) == child && status == 0);
	EXPECT(read(ends[0], back, 1) == 1);
	EXPECT(close(fd) == 0 && close(ends[0]) == 0 && close(ends[1]) == 0);
	expect_content("fork.10", data, 2 * CHUNK);
}

/* 11: 4096 before, 12: 4096 after. */
static void rename_while_open(void)
{
	int fd = open_new("name.11");

	EXPECT(write(fd, data, CHUNK) == CHUNK);
	EXPECT(rename("name.11", "name.12") == 0);
	EXPECT(write(fd, data, CHUNK) == CHUNK);
	EXPECT(close(fd) == 0);
}

/* 13: 2 * 4096: a file without a name keeps its last one. And one that is really called so. */
static void unlink_while_open(void)
{
	int fd = open_new("gone.13");

	EXPECT(unlink("gone.13") == 0);
	EXPECT(write(fd, data, CHUNK) == CHUNK);
	EXPECT(pread(fd, back, CHUNK, 0) == CHUNK && !memcmp(back, data, CHUNK));
	EXPECT(close(fd) == 0);
	fd = open_new("gone.13 (deleted)");
	EXPECT(write(fd, data, 1) == 1);
	EXPECT(close(fd) == 0);
}

/* 14: the first 8192 of each; 15: the rest, 3 * 8192 + 4096. */
static void cross_a_border(void)
{
	struct iovec odd[3] = {
		{data, 100}, {data + 100, CHUNK}, {data + 100 + CHUNK, 3 * CHUNK - 100}};
	struct iovec whole[2] = {{data, CHUNK}, {data + CHUNK, 3 * CHUNK}};
	int fd = open_new("split.14");

	EXPECT(pwrite(fd, data, 4 * CHUNK, 0) == 4 * CHUNK);
	EXPECT(lseek(fd, 0, SEEK_CUR) == 0);
	EXPECT(writev(fd, odd, 3) == 4 * CHUNK);
	EXPECT(lseek(fd, 0, SEEK_CUR) == 4 * CHUNK);
	EXPECT(pwritev(fd, whole, 2, 0) == 4 * CHUNK);
	EXPECT(write(fd, data + 4 * CHUNK, CHUNK) == CHUNK);
	EXPECT(close(fd) == 0);
	expect_content("split.14", data, 5 * CHUNK);
}

/* No class: parts that are no whole chunks can't be taken apart. */
static void write_odd_parts(void)
{
	struct iovec odd[2] = {{data, 100}, {data + 100, 50}};
	int fd = open_new("odd.16");

	EXPECT(pwritev(fd, odd, 2, 0) == 150);
	EXPECT(preadv(fd, odd, 2, 0) == 150);
	EXPECT(close(fd) == 0);
	expect_content("odd.16", data, 150);
}

/* 17: 3 * 4096, in the order of the calls. */
static void append(void)
{
	int fd = open("append.17", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);

	EXPECT(fd >= 0);
	EXPECT(write(fd, data, 2 * CHUNK) == 2 * CHUNK);
	EXPECT(pwrite(fd, data + 2 * CHUNK, CHUNK, 0) == CHUNK);
	EXPECT(close(fd) == 0);
	expect_content("append.17", data, 3 * CHUNK);
}

/* 14: 8192, 15: 4096. What doesn't fit comes short, and nothing is lost or told twice. */
static void hit_a_limit(void)
{
	struct rlimit limit = {3 * CHUNK, RLIM_INFINITY}, before;
	int fd = open_new("limit.14");

	signal(SIGXFSZ, SIG_IGN);
	EXPECT(getrlimit(RLIMIT_FSIZE, &before) == 0);
	limit.rlim_max = before.rlim_max;
	EXPECT(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	EXPECT(pwrite(fd, data, 4 * CHUNK, 0) == 3 * CHUNK);
	EXPECT(pwrite(fd, data, CHUNK, 3 * CHUNK) == -1 && errno == EFBIG);
	EXPECT(setrlimit(RLIMIT_FSIZE, &before) == 0);
	EXPECT(close(fd) == 0);
	expect_content("limit.14", data, 3 * CHUNK);
}

static void refuse_nonsense(void)
{
	int fd = open_new("nonsense.14"), reader = open("nonsense.14", O_RDONLY);
	volatile int minus_one = -1; /* so that the compiler doesn't know it */

	errno = 0;
	EXPECT(pwrite(fd, data, CHUNK, -1) == -1 && errno == EINVAL);
	EXPECT(write(reader, data, 1) == -1 && errno == EBADF);
	EXPECT(write(fd, data, 0) == 0);
	EXPECT(writev(fd, NULL, 0) == 0);
	EXPECT(writev(fd, NULL, minus_one) == -1 && errno == EINVAL);
	EXPECT(read(-1, back, 1) == -1 && errno == EBADF);
	errno = EXDEV;
	EXPECT(read(fd, back, 1) == 0 && errno == EXDEV);
	EXPECT(close(fd) == 0 && close(reader) == 0 && close(-1) == -1);
}

static void *write_rounds(void *name)
{
	for (int i = 0; i < ROUNDS; i++) {
		int fd = open(name, O_RDWR | O_CREAT, 0644);

		EXPECT(fd >= 0);
		EXPECT(pwrite(fd, data, CHUNK, 0) == CHUNK);
		EXPECT(close(fd) == 0);
	}
	return NULL;
}

/* 18, 19, 20, 21: 500 * 4096 each, while numbers go from hand to hand. */
static void race(void)
{
	static char names[THREADS][16];
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		snprintf(names[i], sizeof(names[i]), "thread.%d", 18 + i);
		EXPECT(pthread_create(&threads[i], NULL, write_rounds, names[i]) == 0);
	}
	for (int i = 0; i < THREADS; i++)
		EXPECT(pthread_join(threads[i], NULL) == 0);
}

static int handler_fd;
static volatile sig_atomic_t handled;

static void handler(int signal)
{
	int saved = errno;

	handled += pwrite(handler_fd, data, CHUNK, 0) == CHUNK;
	errno = saved;
}

/* 22: whatever the alarms allow; 23: 20000 * 100 meanwhile. */
static void write_in_handlers(void)
{
	int fd = open_new("busy.23");

	handler_fd = open_new("handler.22");
	signal(SIGUSR1, handler);
	for (int i = 0; i < 20000; i++) {
		EXPECT(pwrite(fd, data, 100, 0) == 100);
		if (i % 100 == 0)
			raise(SIGUSR1);
	}
	EXPECT(handled == 200);
	EXPECT(close(fd) == 0 && close(handler_fd) == 0);
}

/* 24: 4096, by a program that a program under the shim started. */
static void run_a_program(void)
{
	char *arguments[] = {self, ".", "child", NULL};
	pid_t child;
	int status;

	EXPECT(posix_spawn(&child, self, NULL, NULL, arguments, environ) == 0);
	EXPECT(waitpid(child, &status, 0) == child && status == 0);
}

static void be_a_child(void)
{
	int fd = open_new("child.24");

	EXPECT(write(fd, data, CHUNK) == CHUNK);
	EXPECT(close(fd) == 0);
}

/* 25: 4096 past a stream that is closed; 26: 4096. */
static void close_a_stream(void)
{
	FILE *stream = fopen("stream.25", "w");
	int fd = fileno(stream), again;

	EXPECT(write(fd, data, CHUNK) == CHUNK);
	EXPECT(fclose(stream) == 0);
	again = open_new("stream.26");
	EXPECT(again == fd);
	EXPECT(write(again, data, CHUNK) == CHUNK);
	EXPECT(close(again) == 0);
}

static void *read_for_ever(void *end)
{
	char byte;

	EXPECT(read(*(int *)end, &byte, 1) == 1);
	return NULL;
}

static void cancel_a_reader(void)
{
	int ends[2];
	pthread_t thread;
	void *result;

	EXPECT(pipe(ends) == 0);
	EXPECT(pthread_create(&thread, NULL, read_for_ever, ends) == 0);
	usleep(10000);
	EXPECT(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0);
	EXPECT(result == PTHREAD_CANCELED);
	EXPECT(close(ends[0]) == 0 && close(ends[1]) == 0);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i / CHUNK * 31 + i;
	self = realpath(argv[0], NULL);
	EXPECT(argc > 1 && self && chdir(argv[1]) == 0);
	if (argc > 2) {
		be_a_child();
		return 0;
	}
	reuse_descriptors();
	duplicate_descriptors();
	fork_a_child();
	rename_while_open();
	unlink_while_open();
	cross_a_border();
	write_odd_parts();
	append();
	hit_a_limit();
	refuse_nonsense();
	race();
	write_in_handlers();
	run_a_program();
	close_a_stream();
	cancel_a_reader();
	return 0;
}
