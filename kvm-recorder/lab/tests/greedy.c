// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * greedy PROCESSES NUMBERS: that many recorded processes which stay, each with so many thread
 * pointers, descriptors and requests, as far apart as can be: what the host keeps of them must
 * not grow beyond its limits.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* No errno: it is where the thread pointer says. */
static long raw(long number, uint64_t a, uint64_t b)
{
	long result = number;

	__asm__ volatile("syscall" : "+a"(result) : "D"(a), "S"(b) : "rcx", "r11", "memory");
	return result;
}

static void thread_pointers(uint64_t numbers)
{
	uint64_t own = 0, wild = 88172645463325252ull;

	raw(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, (uint64_t)&own);
	while (numbers--) {
		wild ^= wild << 13;
		wild ^= wild >> 7;
		wild ^= wild << 17;
		raw(SYS_arch_prctl, 0x1002 /* ARCH_SET_FS */, wild >> 18);
		raw(SYS_getuid, 0, 0);
	}
	raw(SYS_arch_prctl, 0x1002, own);
}

static void descriptors(int numbers)
{
	const struct rlimit many = {1 << 20, 1 << 20};
	int null = open("/dev/null", O_RDONLY);

	setrlimit(RLIMIT_NOFILE, &many);
	for (int i = 1; i <= numbers; i++)
		dup2(null, i * 250);
}

int main(int argc, char **argv)
{
	int processes = argc == 3 ? atoi(argv[1]) : 0, numbers = argc == 3 ? atoi(argv[2]) : 0;
	int ends[2];
	char byte;

	if (processes <= 0 || numbers <= 0) {
		fprintf(stderr, "usage: greedy PROCESSES NUMBERS\n");
		return 2;
	}
	if (pipe(ends) || setpgid(0, 0))
		return 1;
	for (int i = 0; i < processes; i++) {
		if (fork())
			continue;
		thread_pointers(numbers);
		descriptors(numbers);
		byte = write(ends[1], "x", 1) != 1;
		pause();
		_exit(byte);
	}
	close(ends[1]);
	for (int i = 0; i < processes; i++)
		if (read(ends[0], &byte, 1) != 1)
			return 1;
	printf("greedy: %d processes have %d thread pointers and descriptors each\n", processes,
	       numbers);
	fflush(stdout);
	sleep(3); /* to be looked at */
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	while (wait(NULL) > 0)
		;
	return 0;
}
