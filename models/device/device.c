/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices from what the user typed.
 */
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "device_model.h"

int device_open(struct device *device, const char *spec)
{
	const struct component *found = NULL;
	size_t length = strcspn(spec, ":");
	char *name = strndup(spec, length);

	*device = (struct device){0};
	if (name)
		found = component_find("device", name);
	free(name);
	if (!found)
		return fail("there is no device \"%.*s\"; `sky list device` shows what there is",
			    (int)length, spec);
	device->model = container_of(found, struct device_model, head);
	device->state = calloc(1, device->model->state_bytes);
	if (!device->state)
		return fail("out of memory for the device \"%s\"", spec);
	if (!component_set_parameters(found, device->state,
				      spec[length] ? spec + length + 1 : NULL))
		return 0;
	device_close(device);
	return -1;
}

void device_close(struct device *device)
{
	free(device->state);
	device->state = NULL;
}
