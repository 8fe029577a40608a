/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that are mapped to be written, watched from the disk's side.
 *
 * No call tells when the kernel reads or writes back a page of such a file, but
 * the disk sees it: so the disk's process asks a thread of the recorder to look
 * at the page cache at that moment. Before a write is recorded, the pages under
 * write-back are hashed and told (EVENT_INSIGHT as if of msync()); after a read,
 * the pages that came (as if of mmap()).
 *
 * The disk never depends on the answer: it goes on without it after a while. The
 * files are open in the recorder only, so that nothing of the disk's process
 * keeps the file system mounted.
 */
#ifndef SKY_PAGE_WATCH_H
#define SKY_PAGE_WATCH_H

#include <stdint.h>

#include "capture/event.h"
#include "capture/host/ring.h"

struct page_watch;

/* Before the disk's process is made; the ring is where the events will go. NULL with errno set. */
struct page_watch *page_watch_new(struct ring *ring);

/* Ends the thread, too. */
void page_watch_free(struct page_watch *watch);

/*
 * In the recorder. A file is mapped: `path` leads to it. `look` numbers the looks
 * at who maps what; the file is dropped by a page_watch_prune() with a later one.
 */
void page_watch_add(struct page_watch *watch, const char *path, uint64_t look);

/* It is still mapped. */
void page_watch_keep(struct page_watch *watch, uint64_t device, uint64_t inode, uint64_t look);
void page_watch_prune(struct page_watch *watch, uint64_t look);

/* How many writes went on before their pages were looked at. */
uint64_t page_watch_late(const struct page_watch *watch);

/*
 * In the disk's process: before a write with these checksums is recorded (waits for
 * the look), before a read (waits for the look at the one before), and after it was
 * answered (doesn't wait).
 */
void page_watch_before_write(struct page_watch *watch, const struct words *sums);
void page_watch_before_read(struct page_watch *watch);
void page_watch_after_read(struct page_watch *watch);

#endif
