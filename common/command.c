/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "command.h"
#include "error.h"

int command_finish(void)
{
	if (fflush(stdout) || ferror(stdout)) {
		fail_errno(errno, "the output could not be written whole");
		return 1;
	}
	return 0;
}
