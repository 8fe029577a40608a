/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the recorder tells a process from another one that got its number.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/host/state.h"

Test(state, knows_a_living_process)
{
	struct process self, parent;

	cr_assert_eq(process_find(getpid(), &self), 0);
	cr_assert_eq(self.pid, getpid());
	cr_assert(process_alive(&self));
	cr_assert_eq(process_find(getppid(), &parent), 0);
	cr_assert_leq(parent.start, self.start);
}

Test(state, takes_the_same_number_with_another_start_for_another_process)
{
	struct process self;

	cr_assert_eq(process_find(getpid(), &self), 0);
	self.start++;
	cr_assert_not(process_alive(&self));
	cr_assert(process_wait(&self, -1));
}

Test(state, takes_a_zombie_for_dead)
{
	struct process child, again;
	pid_t pid = fork();
	siginfo_t info;

	if (!pid) {
		pause();
		_exit(0);
	}
	cr_assert_eq(process_find(pid, &child), 0);
	cr_assert(process_alive(&child));
	cr_assert_not(process_wait(&child, 0));
	kill(pid, SIGKILL);
	cr_assert_eq(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
	cr_assert_not(process_alive(&child));
	cr_assert_eq(process_find(pid, &again), -ESRCH);
	waitpid(pid, NULL, 0);
	cr_assert(process_wait(&child, -1));
}
