/* A hash table from bytes to bytes that is read without the GIL. */
#include "known.h"

/* As in otel_stdlib/facts/memo.py: with more, everything before is forgotten. */
#define MOST_PIECES 4096
#define FIRST_ROOM 64

/* The place of a key, or the free one where it belongs. */
static Piece *place_of(const Known *known, const uint8_t *key, size_t size, uint32_t hash) {
    for (size_t at = hash & (known->room - 1);; at = (at + 1) & (known->room - 1)) {
        Piece *piece = &known->pieces[at];
        if (piece->key == NULL) return piece;
        if (piece->hash == hash && (size_t)PyBytes_GET_SIZE(piece->key) == size &&
            memcmp(PyBytes_AS_STRING(piece->key), key, size) == 0)
            return piece;
    }
}

const Piece *known_find(const Known *known, const uint8_t *key, size_t size) {
    if (known->room == 0) return NULL;
    const Piece *found = place_of(known, key, size, crc32_of(key, size, 0));
    return found->key == NULL ? NULL : found;
}

/* At most half of the places are taken. */
static int grow(Known *known) {
    Known larger = {NULL, known->count, known->room ? 2 * known->room : FIRST_ROOM};
    larger.pieces = PyMem_Calloc(larger.room, sizeof(Piece));
    if (larger.pieces == NULL) {
        PyErr_NoMemory();
        return 0;
    }
    for (size_t at = 0; at < known->room; at++) {
        const Piece *piece = &known->pieces[at];
        if (piece->key != NULL)
            *place_of(&larger, (const uint8_t *)PyBytes_AS_STRING(piece->key), (size_t)PyBytes_GET_SIZE(piece->key),
                      piece->hash) = *piece;
    }
    PyMem_Free(known->pieces);
    *known = larger;
    return 1;
}

int known_add(Known *known, PyObject *key, PyObject *value, int tag) {
    if (known->count >= MOST_PIECES) known_clear(known);
    if (2 * known->count >= known->room && !grow(known)) return 0;
    const uint8_t *bytes = (const uint8_t *)PyBytes_AS_STRING(key);
    size_t size = (size_t)PyBytes_GET_SIZE(key);
    uint32_t hash = crc32_of(bytes, size, 0);
    Piece *piece = place_of(known, bytes, size, hash), before = *piece;
    Py_INCREF(key);
    Py_INCREF(value);
    *piece = (Piece){key, value, hash, tag};
    known->count += before.key == NULL;
    Py_XDECREF(before.key);
    Py_XDECREF(before.value);
    return 1;
}

void known_clear(Known *known) {
    for (size_t at = 0; at < known->room; at++) {
        Py_XDECREF(known->pieces[at].key);
        Py_XDECREF(known->pieces[at].value);
    }
    PyMem_Free(known->pieces);
    *known = (Known){NULL, 0, 0};
}
