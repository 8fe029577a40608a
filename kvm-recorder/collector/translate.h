/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the kernel's records (kvm-recorder/kernel/sky_records.h) to events.
 *
 * What a record holds comes from a guest: nothing in it is believed that the
 * record's own length doesn't bear out.
 */
#ifndef SKY_TRANSLATE_H
#define SKY_TRANSLATE_H

#include <stdint.h>

#include "capture/event.h"
#include "kvm-recorder/kernel/sky_records.h"

/*
 * Fills everything but seq and time_ns; disk is the number that requests get.
 * Arrays and texts point into the record. NULL, or what is wrong with it.
 */
const char *translate(const struct sky_record *record, uint32_t disk, struct event *event);

/* Added to the numbers of calls by int 0x80 and SYSENTER, which are of the 32-bit table. */
#define CALL_NUMBER_32BIT (1u << 31)

#endif
