/*
 * protocol.h
 *	  Constants of the wire (docs/protocol.md).
 *
 * python/hxpy/_worker/protocol.py and _tables/wire.py mirror this file;
 * python/tests/test_protocol.py compares them.
 */
#ifndef HXPY_PROTOCOL_H
#define HXPY_PROTOCOL_H

#define HXPY_PROTOCOL_MAGIC		0x7868
#define HXPY_PROTOCOL_VERSION	1
#define HXPY_HEADER_SIZE		16

/* frames of the server */
#define HXPY_FRAME_OPEN			0x01
#define HXPY_FRAME_DEFINE		0x02
#define HXPY_FRAME_EXEC			0x03
#define HXPY_FRAME_EVAL			0x04
#define HXPY_FRAME_GRID			0x05
#define HXPY_FRAME_BATCH		0x06
#define HXPY_FRAME_END			0x07
#define HXPY_FRAME_ABORT		0x08
#define HXPY_FRAME_EVAL_GRID	0x09
#define HXPY_FRAME_APPLY		0x0A
#define HXPY_FRAME_CALL			0x0B
#define HXPY_FRAME_CODEC		0x0C
#define HXPY_FRAME_FUNCTION		0x0D
#define HXPY_FRAME_INVOKE		0x0E
#define HXPY_FRAME_INVOKE_ROWS	0x0F
#define HXPY_FRAME_INTERRUPT	0x10
#define HXPY_FRAME_CHALLENGE	0x11
#define HXPY_FRAME_SERVER_PROOF	0x12
#define HXPY_FRAME_CALLS		0x13
#define HXPY_FRAME_SAVE			0x18
#define HXPY_FRAME_LOAD			0x19
#define HXPY_FRAME_FORK			0x1A
#define HXPY_FRAME_SHARE		0x1B
#define HXPY_FRAME_ANSWER		0x20	/* the first of 16, to as many of ASK; the last is COLUMNS */
#define HXPY_FRAME_COLUMNS		0x2F	/* an answer has rows: BATCH … follow, then it */

/* frames of the container */
#define HXPY_FRAME_HELLO		0x81
#define HXPY_FRAME_OUTPUT		0x82
#define HXPY_FRAME_LOG			0x83
#define HXPY_FRAME_RESULT		0x84
#define HXPY_FRAME_ERROR		0x85
#define HXPY_FRAME_DEAD			0x86
#define HXPY_FRAME_ROWS			0x87
#define HXPY_FRAME_PROGRESS		0x88
#define HXPY_FRAME_PROOF		0x89
#define HXPY_FRAME_MESSAGE		0x8A
#define HXPY_FRAME_FULL			0x8B
#define HXPY_FRAME_ASK			0xA0	/* the first of 16 */
#define HXPY_FRAME_QUERY		0xA0
#define HXPY_FRAME_PREPARE		0xA1
#define HXPY_FRAME_CURSOR		0xA2
#define HXPY_FRAME_FETCH		0xA3
#define HXPY_FRAME_CLOSE		0xA4
#define HXPY_FRAME_SUBTRANSACTION 0xA5
#define HXPY_FRAME_TRANSACTION	0xA6
#define HXPY_FRAME_TABLE		0xA9

/* tags of columns */
#define HXPY_TAG_NULL			0
#define HXPY_TAG_BOOL			1
#define HXPY_TAG_INT16			2
#define HXPY_TAG_INT32			3
#define HXPY_TAG_INT64			4
#define HXPY_TAG_FLOAT32		5
#define HXPY_TAG_FLOAT64		6
#define HXPY_TAG_DATE			7
#define HXPY_TAG_TIME			8
#define HXPY_TAG_TIMESTAMP		9
#define HXPY_TAG_TIMESTAMPTZ	10
#define HXPY_TAG_INTERVAL		11
#define HXPY_TAG_UUID			12
#define HXPY_TAG_TEXT			16
#define HXPY_TAG_NUMERIC		17
#define HXPY_TAG_JSON			18
#define HXPY_TAG_OTHER			19
#define HXPY_TAG_REF			20
#define HXPY_TAG_URI			21
#define HXPY_TAG_SYMBOL			22
#define HXPY_TAG_PLAIN			23
#define HXPY_TAG_BYTEA			24
#define HXPY_TAG_ARRAY			25
#define HXPY_TAG_RECORD			26

/* flags of columns */
#define HXPY_FLAG_HAS_NULLS		0x01
#define HXPY_FLAG_HAS_TEXTS		0x04

/* bytes of a null mask */
#define HXPY_MASK_NULL			1
#define HXPY_MASK_TEXT			2

/* connections by TCP */
#define HXPY_TCP_PORT			7868
#define HXPY_ROLE_CONTROL		1
#define HXPY_ROLE_DATA			2
#define HXPY_KEY_SIZE			32
#define HXPY_NONCE_SIZE			32
#define HXPY_PROOF_SIZE			32

/* characters of a function's key */
#define HXPY_KEY_LENGTH			32

/* limits */
#define HXPY_MAX_DEPTH			64
#define HXPY_MAX_COLUMNS		1664
#define HXPY_MAX_LABEL			(1024 * 1024)

#endif							/* HXPY_PROTOCOL_H */
