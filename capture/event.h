/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event model: all that a recorder may say.
 *
 * Events are raw: matching exits to entries, telling threads apart, following
 * signals and files is the pipeline's work, offline. An event is a header,
 * which every kind shares, and a payload described field by field in
 * event_kinds[] (event.c). The three forms of a trace (stream, archive, text)
 * are generated from that table, so a new field is one line there.
 *
 * Units: times in ns of one monotonic host clock; sectors of 512 bytes; file
 * offsets in bytes; checksums are FNV-1a 64 of 4096-byte chunks that are
 * aligned to file offsets or to sectors.
 */
#ifndef SKY_EVENT_H
#define SKY_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CHUNK_BYTES	  4096u
#define SECTOR_BYTES	  512u
#define SECTORS_PER_CHUNK (CHUNK_BYTES / SECTOR_BYTES)

#define VCPU_UNKNOWN   UINT16_MAX
#define OFFSET_UNKNOWN UINT64_MAX
/* A chunk whose checksum the recorder could not have (page not present, skipped). */
#define SUM_UNKNOWN    0u

enum event_kind {
	EVENT_ATTRIBUTE,  /* provenance: recorder, version, command, guest, disks, ... */
	EVENT_PROCESS,	  /* snapshot, when monitoring starts: a process */
	EVENT_DESCRIPTOR, /* snapshot: one of its descriptors */
	EVENT_MAP,	  /* snapshot: one of its file mappings */
	EVENT_ENTRY,	  /* a system call begins */
	EVENT_EXIT,	  /* ... and returns */
	EVENT_SWITCH,	  /* another process or thread on the virtual CPU */
	EVENT_FORK,	  /* fork, vfork, clone, thr_new */
	EVENT_EXEC,
	EVENT_GONE,	/* a thread or a process ends */
	EVENT_MONITOR,	/* monitoring of a process starts or stops */
	EVENT_INSIGHT,	/* the result of a call of the recorder's own */
	EVENT_MAPPING,	/* a host frame behind a mapped file page appears, goes, is reused */
	EVENT_BLOCK,	/* a request is issued to a virtual disk */
	EVENT_COMPLETE, /* ... and completes */
	EVENT_MARK,	/* a phase of the workload begins */
	EVENT_CLOCK,	/* offset of the guest's clock to the host's */
	EVENT_LOSS,	/* how many events were dropped before this one */
	EVENT_TRUTH,	/* whose pages a bio carried, seen where it was submitted */
	EVENT_EXTENT,	/* allocation map: whose the sectors were when recording ended */
	EVENT_HINT,	/* derived by the pipeline: what a chunk of a request is */
	EVENT_KINDS
};

/* Arrays and strings of an event belong to whoever made it and live as long as it does. */
struct words {
	const uint64_t *at;
	uint32_t count;
};

struct text {
	const char *at; /* not terminated; holds no NUL */
	uint32_t count;
};

enum abi { ABI_LINUX64, ABI_FREEBSD64 };

/* How a call came back to user space; KILLED and RESTART have no result. */
enum exit_way { EXIT_SYSRET, EXIT_IRET, EXIT_BREAKPOINT, EXIT_KILLED, EXIT_RESTART };

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD, BLOCK_ZERO, BLOCK_OPS };

/* Does a range end where no number of bytes reaches? */
static inline bool sectors_beyond_any_disk(uint64_t sector, uint32_t sectors)
{
	return sector > UINT64_MAX / SECTOR_BYTES - sectors;
}

/* Flags of a block request as the block layer had them. */
#define BLOCK_FLAG_SYNC	      (1u << 0)
#define BLOCK_FLAG_META	      (1u << 1)
#define BLOCK_FLAG_PRIO	      (1u << 2)
#define BLOCK_FLAG_FUA	      (1u << 3)
#define BLOCK_FLAG_PREFLUSH   (1u << 4)
#define BLOCK_FLAG_READAHEAD  (1u << 5)
#define BLOCK_FLAG_BACKGROUND (1u << 6)

/*
 * A content marker a chunk: the low 8 bits say what the chunk looks like, the
 * rest is that kind's value (InnoDB: page type in bits 8..23, the low 40 bits
 * of the index id above; XFS log: bytes of the record behind its header).
 */
#define MARKER_KIND_MASK   0xffu
#define MARKER_VALUE_SHIFT 8

enum marker {
	MARKER_NONE,
	MARKER_ZERO,
	MARKER_JBD2_DESCRIPTOR,
	MARKER_JBD2_COMMIT,
	MARKER_JBD2_SUPERBLOCK,
	MARKER_JBD2_REVOKE,
	MARKER_XFS_LOG,
	MARKER_INNODB,
};

enum mapping_action { MAPPING_APPEARS, MAPPING_GOES, MAPPING_REUSED, MAPPING_CLEANED };

/* What a chunk on a disk is. */
enum chunk_class {
	CHUNK_UNKNOWN, /* not decided, or nothing is known of it */
	CHUNK_METADATA,
	CHUNK_DATA,
	CHUNK_UNCONSUMED, /* hints only: file data read ahead that nobody took */
};

/* Which evidence decided the truth of a chunk. */
enum truth_source {
	TRUTH_NONE,
	TRUTH_BLOCK_DEVICE,  /* a page of the block device's own inode */
	TRUTH_BTREE,	     /* a page of Btrfs's metadata inode */
	TRUTH_FILE,	     /* a page of a regular file */
	TRUTH_SYSTEM_FILE,   /* a page of a reserved inode, a directory or a link */
	TRUTH_USER_PAGE,     /* an anonymous page of a process: O_DIRECT */
	TRUTH_KERNEL_BUFFER, /* a page without an owner: XFS buffers and log, journals */
};

enum hint_reason {
	REASON_NONE,
	REASON_WRITE_CHECKSUM, /* content that a call wrote */
	REASON_READ_CHECKSUM,  /* content that a call read afterwards */
	REASON_EXCLUSION,      /* nobody wrote it, or took it within the window */
	REASON_NEIGHBOUR,      /* its neighbours in the request were file data */
	REASON_TRUTH,	       /* taken from the truth, not found out */
	REASON_RULE,	       /* a rule of thumb of a baseline: size, flags, place */
	REASON_JOURNAL,	       /* by its marker, or where the journal goes on */
	REASON_FRAME,	       /* its frame was, or became, a page of a mapped file */
	REASON_APPLICATION,    /* the call that wrote or read it bore this class */
};

enum dedup_hint { DEDUP_NONE, DEDUP_UNIQUE, DEDUP_COPY };

/* Priority classes (paper, table 6); 6..31 are applications'. */
#define CLASS_REST	0
#define CLASS_METADATA	5
#define CLASS_COUNT	32
#define CLASS_UNDECIDED 255 /* no hint yet */

/*
 * A record of io_submit, io_getevents or io_uring_enter, flattened into the
 * records field: RECORD_WORDS words each. ioctl(FICLONERANGE) has one: the
 * source's descriptor, offset and bytes; entry_event.file_offset is the target's.
 */
enum record_word {
	RECORD_ID, /* iocb address or user_data */
	RECORD_OPCODE,
	RECORD_FD,
	RECORD_BUFFER,
	RECORD_BYTES,
	RECORD_OFFSET,
	RECORD_FLAGS,
	RECORD_RESULT, /* completions only */
	RECORD_CHUNKS, /* how many of the event's sums are this record's */
	RECORD_WORDS
};

struct attribute_event {
	struct text name, value;
};

struct process_event {
	uint32_t parent_pid;
	struct text cwd, executable;
};

struct descriptor_event {
	int32_t fd;
	uint64_t open_file; /* the same for descriptors that share an offset; 0 unknown */
	uint64_t offset, flags, device, inode, links, size;
	uint32_t mode; /* st_mode */
	struct text path;
};

struct map_event {
	uint64_t address, bytes, protection, flags, device, inode, offset;
	struct text path;
};

struct entry_event {
	uint8_t abi;
	uint32_t number;
	uint64_t argument[6];
	struct text path, path2;
	struct words lengths; /* of an iovec */
	struct words records;
	/*
	 * Writes: where the first byte goes (copies inside the kernel: in the
	 * destination), and the aligned chunks that result, from the one that
	 * holds file_offset on.
	 */
	uint64_t file_offset;
	struct words sums;
};

struct exit_event {
	uint8_t abi;
	uint32_t number;
	int64_t result; /* -errno on failure, on both ABIs */
	uint8_t carry;
	uint8_t way;
	struct words records;
	/* Reads: where the first byte came from (copies: in the source), and its chunks. */
	uint64_t file_offset;
	struct words sums;
	/* Writes that turned out otherwise than the entry said (O_APPEND races, short
	 * writes, splice from a pipe): where they went and the chunks that resulted. */
	uint64_t written_offset;
	struct words written;
};

struct fork_event {
	uint32_t child_pid, child_tid;
	uint64_t flags; /* of clone; 0 for fork */
	uint64_t child_space, child_stack, child_fs_base;
};

struct exec_event {
	struct text name; /* the new executable's path */
};

struct gone_event {
	int32_t status;	     /* as wait(2) reports it */
	uint8_t last_thread; /* the whole process is gone */
};

struct monitor_event {
	uint8_t on;
};

/* The call's number is that of the Linux call whose question it asks. */
struct insight_event {
	uint32_t number;
	int64_t result;
	int32_t fd;
	uint64_t offset, flags, device, inode, links, size;
	uint32_t mode;
	struct text path;
	uint64_t file_offset; /* of a completed chunk of a misaligned request */
	struct words sums;
};

struct mapping_event {
	uint8_t action;
	uint64_t frame; /* host frame number, or 0 where the recorder cannot see frames */
	uint64_t address, device, inode, index;
	uint64_t sum;
};

struct block_event {
	uint8_t op;
	uint32_t disk;
	uint64_t id; /* a disk's ids rise; the completion bears the same */
	uint64_t sector;
	uint32_t sectors;
	uint32_t flags;
	struct words sums; /* writes */
	struct words frames, markers;
};

struct complete_event {
	uint32_t disk;
	uint64_t id;
	int32_t error;	   /* 0 or -errno */
	struct words sums; /* reads */
	struct words frames, markers;
};

struct mark_event {
	struct text name;
};

struct clock_event {
	int64_t guest_minus_host_ns;
};

struct loss_event {
	uint64_t count;
	struct text where; /* which ring */
};

/* A run of sectors of one owner within one bio: chunk i has page index + i. */
struct truth_event {
	uint8_t op;
	uint32_t disk;
	uint64_t sector;
	uint32_t sectors;
	uint32_t flags; /* BLOCK_FLAG_ of the bio: a cross-check */
	uint8_t what;	/* enum chunk_class */
	uint8_t source;
	uint64_t device, inode, index;
};

struct extent_event {
	uint32_t disk;
	uint64_t sector;
	uint32_t sectors;
	uint64_t device, inode, index;
};

/*
 * time_ns is when the hint became known, seq the event that made it known.
 * It names the request, never the sectors.
 */
struct hint_event {
	uint32_t disk;
	uint64_t request; /* block_event.id */
	uint32_t chunk;	  /* within the request */
	uint8_t what;	  /* enum chunk_class */
	uint8_t io_class;
	uint8_t dedup;
	uint8_t reason;
	uint64_t device, inode, index; /* 0, 0, 0 where no file is known */
};

struct event {
	uint64_t seq; /* from 1, +1 an event; a gap is a loss */
	uint64_t time_ns;
	uint64_t space; /* CR3 as it is loaded, or an id of the mm on a host; 0 unknown */
	uint64_t stack; /* user stack pointer; 0 unknown */
	uint64_t fs_base;
	uint64_t cpu_ns;  /* the thread's CPU time so far; 0 unknown */
	uint64_t held_ns; /* how long the recorder held the thread (or request) for this event */
	uint32_t pid, tid;
	uint16_t vcpu;
	uint8_t kind;
	union {
		struct attribute_event attribute;
		struct process_event process;
		struct descriptor_event descriptor;
		struct map_event map;
		struct entry_event entry;
		struct exit_event exit;
		struct fork_event fork;
		struct exec_event exec;
		struct gone_event gone;
		struct monitor_event monitor;
		struct insight_event insight;
		struct mapping_event mapping;
		struct block_event block;
		struct complete_event complete;
		struct mark_event mark;
		struct clock_event clock;
		struct loss_event loss;
		struct truth_event truth;
		struct extent_event extent;
		struct hint_event hint;
	};
};

/* How a field is stored, in the struct and in the binary forms. */
enum field_type {
	FIELD_U8,
	FIELD_U16,
	FIELD_U32,
	FIELD_I32,
	FIELD_U64,
	FIELD_I64,
	FIELD_TEXT,  /* struct text */
	FIELD_WORDS, /* struct words */
};

/* How the text form shows it. */
enum field_style {
	STYLE_DECIMAL,
	STYLE_HEX,
	STYLE_OFFSET,	 /* decimal; nothing where it is OFFSET_UNKNOWN */
	STYLE_DEVICE,	 /* major:minor */
	STYLE_NAME,	 /* one of field.names */
	STYLE_BITS,	 /* NAME|NAME of field.names, the rest in hex */
	STYLE_CALL,	 /* a system call's number, by name */
	STYLE_ARGUMENTS, /* argument[0] of six: as the call's table says */
	STYLE_ABI,	 /* one of field.names, on a line of its own where it changes */
	STYLE_HIDDEN,	 /* argument[1..5], which STYLE_ARGUMENTS shows */
	STYLE_SUMS,	 /* words in hex */
	STYLE_NUMBERS,	 /* words in decimal */
	STYLE_STRING,	 /* "quoted" */
};

struct field {
	const char *name;
	enum field_type type;
	enum field_style style;
	bool bare;		  /* the text form shows the value without the name, first */
	bool shown;		  /* the text form shows it also where it has its preset */
	uint16_t offset;	  /* in struct event */
	const char *const *names; /* NULL-terminated; STYLE_NAME, STYLE_BITS */
	uint64_t preset;	  /* value that the text form leaves out and assumes */
};

struct event_kind_info {
	const char *name;
	const struct field *fields; /* payload; ends with a NULL name */
	bool derived;		    /* not recorded: shares another event's seq */
	/* What the field table can't say; NULL, or what is wrong. */
	const char *(*check)(const struct event *event);
};

extern const struct event_kind_info event_kinds[EVENT_KINDS];

/* The shared header but kind: seq first; ends with a NULL name. */
extern const struct field event_header[];

/* Size in bytes of a value of a field of fixed width; 0 for texts and words. */
static inline unsigned field_width(enum field_type type)
{
	static const uint8_t widths[] = {
		[FIELD_U8] = 1,	 [FIELD_U16] = 2, [FIELD_U32] = 4,  [FIELD_I32] = 4,
		[FIELD_U64] = 8, [FIELD_I64] = 8, [FIELD_TEXT] = 0, [FIELD_WORDS] = 0,
	};

	return widths[type];
}

/* The field's value as a number, sign-extended where it is signed. */
uint64_t field_get(const struct event *event, const struct field *field);
void field_set(struct event *event, const struct field *field, uint64_t value);

static inline const struct words *field_words(const struct event *event, const struct field *field)
{
	return (const struct words *)((const char *)event + field->offset);
}

static inline const struct text *field_text(const struct event *event, const struct field *field)
{
	return (const struct text *)((const char *)event + field->offset);
}

static inline bool text_is(const struct text *text, const char *word)
{
	return text->count == strlen(word) && !memcmp(text->at, word, text->count);
}

/* An event of that kind in which everything is unknown. */
void event_init(struct event *event, enum event_kind kind);

/*
 * What a reader of foreign bytes checks before it passes an event on: the
 * kind, enumerations, lengths against counts (a block's sums against its
 * sectors), texts without NUL. NULL if all is well, else what is wrong.
 */
const char *event_check(const struct event *event);

/* The name of value among names, or NULL. */
const char *name_of(const char *const *names, uint64_t value);

extern const char *const block_op_names[],
	*const block_flag_names[], *const chunk_class_names[],
					   *const hint_reason_names[],
						   *const truth_source_names[],
							   *const dedup_hint_names[];

/* Operations as results name them: "read" for BLOCK_READ. */
extern const char *const block_op_words[BLOCK_OPS];

#endif
