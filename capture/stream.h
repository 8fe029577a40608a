/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a stream: a nanosecond pcap whose frames hold events.
 *
 * A frame is an Ethernet header with the IEEE local experimental ethertype
 * 0x88B5, a struct stream_frame and a part of event_encode()'s bytes. An event
 * that doesn't fit in a frame goes on in frames of the same seq; all but the
 * last say so. Times and lengths that pcap has too must agree with the frame's.
 */
#ifndef SKY_STREAM_H
#define SKY_STREAM_H

#include <stdint.h>

#define STREAM_MAGIC	   0xa1b23c4du /* nanosecond pcap, written little endian */
#define STREAM_SNAPLEN	   262144u
#define STREAM_ETHERTYPE   0x88b5u
#define STREAM_VERSION	   1
#define STREAM_MORE	   1	  /* flags: the event goes on in the next frame */
#define STREAM_FRAME_BYTES 65520u /* libtrace's buffers overflow above this */

struct stream_pcap_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snaplen, linktype;
};

struct stream_record_header {
	uint32_t seconds, nanoseconds, captured_bytes, wire_bytes;
};

struct stream_frame {
	uint8_t to[6], from[6];
	uint8_t ethertype[2]; /* big endian */
	uint8_t version, flags;
	uint32_t crc; /* zlib's crc32 of the frame with crc = 0 */
	uint32_t part;
	uint32_t reserved; /* 0 */
	uint64_t seq, time_ns;
} __attribute__((packed));

extern const uint8_t stream_address[6];

#endif
