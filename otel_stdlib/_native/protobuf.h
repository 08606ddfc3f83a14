/* Protobuf by its encoding (protobuf.dev, "Encoding"). Every function answers with the new end. */
#ifndef OTEL_STDLIB_PROTOBUF_H
#define OTEL_STDLIB_PROTOBUF_H

#include "value.h"

#define VARINT_ROOM 10
#define FIELD(number, kind) ((uint8_t)((number) << 3 | (kind)))
enum { VARINT, FIXED64, BYTES, FIXED32 = 5 };

static inline uint8_t *put_varint(uint8_t *to, uint64_t value) {
    for (; value > 127; value >>= 7) *to++ = (uint8_t)(value | 128);
    *to++ = (uint8_t)value;
    return to;
}

static inline size_t varint_size(uint64_t value) {
    size_t size = 1;
    while (value >>= 7) size++;
    return size;
}

static inline uint8_t *put_u64(uint8_t *to, uint64_t value) {
    for (int i = 0; i < 8; i++) *to++ = (uint8_t)(value >> (8 * i));
    return to;
}

/* Puts a length before what was written at `start`, of which VARINT_ROOM bytes were left free for it. */
static inline uint8_t *close_field(uint8_t *start, uint8_t *end) {
    size_t size = (size_t)(end - start) - VARINT_ROOM;
    uint8_t *to = put_varint(start, size);
    memmove(to, start + VARINT_ROOM, size);
    return to + size;
}

/* attributes.c; NULL where the text, or what is given, is not ordinary. */
uint8_t *put_text_value(uint8_t *to, uint8_t tag, Text text);
uint8_t *put_attributes(uint8_t *to, Text members);

#endif
