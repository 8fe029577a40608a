# SPDX-License-Identifier: GPL-2.0-or-later
#
# What runs inside a guest, or in a program that is recorded on the host: needs
# nothing but libc, so that a guest can build it too.
