/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a model of a storage device is: how long an access keeps it busy, when one is
 * made after the other. For comparing caches by the time that their misses cost.
 */
#ifndef SKY_DEVICE_MODEL_H
#define SKY_DEVICE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/component.h"

struct device_access {
	uint64_t sector;
	uint32_t disk, sectors;
	bool write;
	bool continues; /* the one before, in the same request and at its end */
};

struct device_model {
	struct component head; /* kind "device"; the parameters lie inside the state */
	size_t state_bytes;    /* zeroed before the parameters are set */
	uint64_t (*access_ns)(void *state, const struct device_access *access);
};

/* Registers the ops struct that follows it. */
#define DEVICE_MODEL(identifier)                                \
	static const struct device_model identifier##_model;    \
	COMPONENT(identifier##_model, identifier##_model.head); \
	static const struct device_model identifier##_model =

/* A model with its state. */
struct device {
	const struct device_model *model;
	void *state;
};

/* From "name" or "name:parameter=value,...". 0, or -1 after saying what is wrong. */
int device_open(struct device *device, const char *spec);
void device_close(struct device *device);

#endif
