// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * instructions COMMAND [ARGUMENT...]: runs it, and prints how many instructions the machine has done meanwhile,
 * KVM's and QEMU's among them, and not the time that it was idle. Only in an emulated host that is
 * told to count (qemu-count.patch); else the processor refuses.
 *
 * instructions -N: that of N CPUIDs, each an exit for which KVM has next to nothing to do.
 */
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNTER 0x40000000 /* qemu-count.patch */

static unsigned long long instructions(void)
{
	unsigned int low, high;

	asm volatile("rdpmc" : "=a"(low), "=d"(high) : "c"(COUNTER) : "memory");
	return (unsigned long long)high << 32 | low;
}

static int run(char **command)
{
	int status = -1;
	pid_t child = fork();

	if (!child) {
		execvp(*command, command);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child) {
		perror("instructions");
		return 1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int exits(long count)
{
	unsigned int a, b, c, d;

	while (count--)
		__cpuid(0, a, b, c, d);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long long begun;
	int status;

	if (argc < 2) {
		fprintf(stderr, "usage: instructions COMMAND [ARGUMENT...]\n");
		return 2;
	}
	begun = instructions();
	status = *argv[1] == '-' ? exits(atol(argv[1] + 1)) : run(argv + 1);
	printf("instructions %llu\n", instructions() - begun);
	return status;
}
