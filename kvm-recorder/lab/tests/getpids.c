// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * getpids N: makes that many system calls, all of which must tell the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long count = argc == 2 ? atol(argv[1]) : 0, wrong = 0;
	pid_t pid = getpid();

	if (count <= 0) {
		fprintf(stderr, "usage: getpids N\n");
		return 2;
	}
	while (count--)
		wrong += syscall(SYS_getpid) != pid;
	if (wrong)
		printf("getpids: %ld wrong\n", wrong);
	return wrong ? 1 : 0;
}
