/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/command.h"
#include "common/error.h"
#include "guests.h"

#define DISK_PREFIX "disk "

bool source_is_vcpu(const source_name name, pid_t *pid, unsigned *vcpu)
{
	return sscanf(name, "vm %d vcpu %u", pid, vcpu) == 2;
}

const char *source_disk(const source_name name)
{
	return strncmp(name, DISK_PREFIX, strlen(DISK_PREFIX)) ? NULL : name + strlen(DISK_PREFIX);
}

/* "NAME,process=..." or "guest=NAME,..." */
static void take_name(const char *word, char name[GUEST_NAME_BYTES])
{
	const char *guest = strstr(word, "guest=");

	if (guest && (guest == word || guest[-1] == ','))
		word = guest + strlen("guest=");
	snprintf(name, GUEST_NAME_BYTES, "%.*s", (int)strcspn(word, ","), word);
}

void guest_name(pid_t pid, char name[GUEST_NAME_BYTES])
{
	char path[32], *word = NULL;
	bool is_next = false;
	size_t room = 0;
	FILE *words;

	name[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	words = fopen(path, "re");
	if (!words)
		return; /* it has ended */
	while (getdelim(&word, &room, '\0', words) > 0) {
		if (is_next) {
			take_name(word, name);
			break;
		}
		is_next = !strcmp(word, "-name") || !strcmp(word, "--name");
	}
	free(word);
	fclose(words);
}

/* "vhost-vsock-pci,guest-cid=3", or as JSON: {..., "guest-cid": 3} */
int guest_cid(pid_t pid, uint32_t *cid)
{
	char path[32], *word = NULL, *at;
	size_t room = 0;
	FILE *words;
	int rc = -1;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	words = fopen(path, "re");
	if (!words)
		return -1;
	while (rc && getdelim(&word, &room, '\0', words) > 0) {
		at = strstr(word, "vsock") ? strstr(word, "guest-cid") : NULL;
		if (!at)
			continue;
		at += strlen("guest-cid");
		at += strspn(at, "\"= :");
		rc = sscanf(at, "%u", cid) == 1 ? 0 : -1;
	}
	free(word);
	fclose(words);
	return rc;
}

static bool is_meant(const char *wanted, pid_t pid)
{
	char name[GUEST_NAME_BYTES], number[16];

	snprintf(number, sizeof(number), "%d", (int)pid);
	if (!strcmp(wanted, number))
		return true;
	guest_name(pid, name);
	return !strcmp(wanted, name);
}

pid_t guest_find(const char *wanted, const source_name *sources, size_t count)
{
	pid_t found = -1, pid;
	unsigned vcpu;

	for (size_t i = 0; i < count; i++) {
		if (!source_is_vcpu(sources[i], &pid, &vcpu) || pid == found ||
		    !is_meant(wanted, pid))
			continue;
		if (found >= 0)
			return fail("both process %d and process %d are virtual machines named %s; "
				    "say which by its number",
				    (int)found, (int)pid, wanted);
		found = pid;
	}
	if (found < 0)
		fail("there is no virtual machine %s to record; `sky record --kvm list` shows "
		     "what there is",
		     wanted);
	return found;
}

/* Names are bytes; JSON has text only. */
static json_t *printable(const char *name)
{
	json_t *text = json_string(name);

	return text ? text : json_string("?");
}

/* Adds a virtual CPU to its machine's entry, which the first one makes. */
static void list_vcpu(json_t *machines, pid_t pid)
{
	json_t *machine, *vcpus;
	char name[GUEST_NAME_BYTES];
	size_t i;

	json_array_foreach (machines, i, machine) {
		if (json_integer_value(json_object_get(machine, "pid")) != pid)
			continue;
		vcpus = json_object_get(machine, "vcpus");
		json_integer_set(vcpus, json_integer_value(vcpus) + 1);
		return;
	}
	guest_name(pid, name);
	machine =
		json_pack("{s:i, s:o, s:i}", "pid", (int)pid, "name", printable(name), "vcpus", 1);
	json_array_append_new(machines, machine);
}

static void print(const json_t *list)
{
	json_t *item;
	size_t i;

	json_array_foreach (json_object_get(list, "machines"), i, item)
		printf("vm %-8d %-24s %d virtual CPUs\n",
		       (int)json_integer_value(json_object_get(item, "pid")),
		       json_string_value(json_object_get(item, "name")),
		       (int)json_integer_value(json_object_get(item, "vcpus")));
	json_array_foreach (json_object_get(list, "disks"), i, item)
		printf("disk %s\n", json_string_value(item));
}

int guests_list(bool as_json)
{
	size_t count = 0;
	source_name *sources = ring_sources(&count);
	json_t *list = sources ? json_pack("{s:[], s:[]}", "machines", "disks") : NULL;
	pid_t pid;
	unsigned vcpu;

	for (size_t i = 0; i < count; i++) {
		if (source_is_vcpu(sources[i], &pid, &vcpu))
			list_vcpu(json_object_get(list, "machines"), pid);
		else if (source_disk(sources[i]))
			json_array_append_new(json_object_get(list, "disks"),
					      printable(source_disk(sources[i])));
	}
	free(sources);
	return command_result(list, as_json, print);
}
