/* A table of frames, for the files that render it. */
#ifndef OTEL_STDLIB_FRAMES_H
#define OTEL_STDLIB_FRAMES_H

#include "native.h"

typedef struct {
    uint32_t offset; /* of the frame in the buffer */
    uint32_t length; /* of its payload */
} Place;

/* What is known of all frames of a table. */
typedef struct {
    long long nbytes;
    int min_level;
    char sealed;
} Sum;

typedef struct {
    PyObject_HEAD
    PyObject *data; /* bytes, which never change */
    Place *places;
    Py_ssize_t count;
    long long base; /* the LSN of the buffer's first byte */
    Sum sum;
} Frames;

/* The longest text of an LSN. */
#define LSN_ROOM 16

static inline const uint8_t *bytes_of(const Frames *self) { return (const uint8_t *)PyBytes_AS_STRING(self->data); }

static inline const uint8_t *payload_of(const Frames *self, Py_ssize_t i) {
    return bytes_of(self) + self->places[i].offset + FRAME_HEADER;
}

static inline long long lsn_of(const Frames *self, Py_ssize_t i) { return self->base + self->places[i].offset; }

static inline long long time_of(const Frames *self, Py_ssize_t i) {
    return (long long)load_u64(bytes_of(self) + self->places[i].offset + 8);
}

static inline uint8_t *put(uint8_t *to, const void *from, size_t size) {
    memcpy(to, from, size);
    return to + size;
}

static inline uint8_t *put_bytes(uint8_t *to, PyObject *from) {
    return put(to, PyBytes_AS_STRING(from), (size_t)PyBytes_GET_SIZE(from));
}

/* `%014x` of an LSN. */
static inline size_t lsn_digits(unsigned long long lsn) { return lsn >> 60 ? 16 : lsn >> 56 ? 15 : 14; }

static inline uint8_t *put_lsn(uint8_t *to, unsigned long long lsn) {
    for (size_t digit = lsn_digits(lsn); digit--;) *to++ = (uint8_t)"0123456789abcdef"[(lsn >> (4 * digit)) & 15];
    return to;
}

#endif
