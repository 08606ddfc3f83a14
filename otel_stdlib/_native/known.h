/* What a renderer remembers: pieces of lines, and what is written for them. */
#ifndef OTEL_STDLIB_KNOWN_H
#define OTEL_STDLIB_KNOWN_H

#include "native.h"

typedef struct {
    PyObject *key, *value; /* bytes; NULL in a free place */
    uint32_t hash;
    int tag; /* the renderer's own */
} Piece;

/* All zeros: empty. The GIL is needed to change it, and nobody may look for anything meanwhile. */
typedef struct {
    Piece *pieces;
    size_t count, room;
} Known;

/* NULL: it is not known. Needs no GIL. */
const Piece *known_find(const Known *known, const uint8_t *key, size_t size);
/* Both are bytes. 0 with an error set where there is no memory. */
int known_add(Known *known, PyObject *key, PyObject *value, int tag);
void known_clear(Known *known);

#endif
