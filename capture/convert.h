/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SKY_CONVERT_H
#define SKY_CONVERT_H

/*
 * Copies a trace of any form to another, whose form its name's ending says.
 * A stream that ends in the middle of a record is taken up to its last whole
 * one; how much was cut is said and kept as an attribute "cut_bytes". 0, or -1
 * after saying why; no output is left then.
 */
int convert_file(const char *input, const char *output);

#endif
