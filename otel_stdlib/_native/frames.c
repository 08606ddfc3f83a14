/* Frames out of bytes, and whole blocks of lines out of frames, without the GIL.

   `walk` does what otel_stdlib/spool/walk.py specifies. What it finds is a table of places in the buffer, not
   objects: a destination that wants lines gets a block of them in one piece, and whoever looks at single records
   (halving, dead letters, eviction) gets a Frame when it asks for one. */
#include "frames.h"

#include <structmember.h>

PyObject *frame_class;

static int level_of(const uint8_t *frame) { return (int16_t)(frame[20] | frame[21] << 8); }

static const Sum NOTHING = {0, INT16_MAX, 0};

static void count_in(Sum *sum, const uint8_t *frame, uint32_t length) {
    int level = level_of(frame);
    sum->nbytes += length;
    if (level < sum->min_level) sum->min_level = level;
    if (length && frame[FRAME_HEADER] == ENVELOPE_BYTE) sum->sealed = 1;
}

/* Takes over `places`, also where it fails. */
static PyObject *new_frames(PyObject *data, Place *places, Py_ssize_t count, long long base, Sum sum) {
    Frames *self = PyObject_New(Frames, &FramesType);
    if (self == NULL) {
        PyMem_RawFree(places);
        return NULL;
    }
    Py_INCREF(data);
    self->data = data;
    self->places = places;
    self->count = count;
    self->base = base;
    self->sum = sum;
    return (PyObject *)self;
}

/* ---- walk ---------------------------------------------------------------------------------------------------- */

typedef struct {
    Place *places;
    size_t count, room;
    size_t position;
    size_t damaged;
    Sum sum;
    int hungry, lost, no_memory;
} Walk;

static int keep(Walk *walk, const uint8_t *frame, size_t offset, uint32_t length) {
    if (walk->count == walk->room) {
        size_t room = walk->room ? walk->room * 2 : 256;
        Place *larger = PyMem_RawRealloc(walk->places, room * sizeof(Place));
        if (larger == NULL) return 0;
        walk->places = larger;
        walk->room = room;
    }
    walk->places[walk->count].offset = (uint32_t)offset;
    walk->places[walk->count++].length = length;
    count_in(&walk->sum, frame, length);
    return 1;
}

/* Where the next magic begins, `end` where there is none. */
static size_t next_magic(const uint8_t *data, size_t position, size_t end) {
    while (position + 4 <= end) {
        const uint8_t *found = memchr(data + position, FRAME_MAGIC & 0xFF, end - position - 3);
        if (found == NULL) return end;
        if (load_u32(found) == FRAME_MAGIC) return (size_t)(found - data);
        position = (size_t)(found - data) + 1;
    }
    return end;
}

/* No Python in here: it runs without the GIL. */
static void walk_bytes(Walk *walk, const uint8_t *data, size_t end, size_t limit, size_t room, uint32_t seed) {
    while (walk->count < limit) {
        if (walk->lost) {
            size_t found = next_magic(data, walk->position, end);
            if (found == end) {
                walk->position = end > 3 ? end - 3 : 0; /* a magic may straddle the buffer's end */
                walk->hungry = end < room;
                return;
            }
            walk->position = found;
            walk->lost = 0;
        }
        size_t position = walk->position;
        if (position > end || end - position < FRAME_HEADER) {
            walk->hungry = end < room;
            return;
        }
        const uint8_t *frame = data + position;
        uint32_t length = load_u32(frame + 16);
        if (load_u32(frame) == FRAME_MAGIC && length <= FRAME_MAX_PAYLOAD) {
            size_t stop = position + FRAME_HEADER + length;
            if (stop <= end) {
                if (crc32_of(frame + 8, (size_t)length + FRAME_HEADER - 8, seed) == load_u32(frame + 4)) {
                    if (!keep(walk, frame, position, length)) {
                        walk->no_memory = 1;
                        return;
                    }
                    walk->position = stop;
                    continue;
                }
            } else if (stop <= room) {
                walk->hungry = 1;
                return;
            }
        }
        if (load_u64(frame) != 0) walk->damaged++;
        walk->position++;
        walk->lost = 1;
    }
}

PyObject *walk(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *data;
    Py_ssize_t position, limit, room;
    long long base;
    unsigned long long seed;
    int lost = 0;
    if (!PyArg_ParseTuple(args, "SnLKnn|p:walk", &data, &position, &base, &seed, &limit, &room, &lost)) return NULL;
    Py_ssize_t end = PyBytes_GET_SIZE(data);
    if (frame_class == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "use(frame) comes first");
        return NULL;
    }
    if (position < 0 || seed > UINT32_MAX || (uint64_t)end > UINT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "position, seed or length of the data out of range");
        return NULL;
    }
    Walk found = {.position = (size_t)position, .lost = lost, .sum = NOTHING};
    const uint8_t *bytes = (const uint8_t *)PyBytes_AS_STRING(data);
    size_t wanted = limit > 0 ? (size_t)limit : 0, reach = room > 0 ? (size_t)room : 0;
    PyThreadState *others = end - position > WORTH_RELEASING ? PyEval_SaveThread() : NULL;
    walk_bytes(&found, bytes, (size_t)end, wanted, reach, (uint32_t)seed);
    if (others != NULL) PyEval_RestoreThread(others);
    if (found.no_memory) {
        PyMem_RawFree(found.places);
        return PyErr_NoMemory();
    }
    PyObject *frames = new_frames(data, found.places, (Py_ssize_t)found.count, base, found.sum);
    if (frames == NULL) return NULL;
    return Py_BuildValue("NnnNN", frames, (Py_ssize_t)found.position, (Py_ssize_t)found.damaged,
                         PyBool_FromLong(found.hungry), PyBool_FromLong(found.lost));
}

/* ---- a sequence of Frame ------------------------------------------------------------------------------------- */

static void frames_dealloc(Frames *self) {
    Py_XDECREF(self->data);
    PyMem_RawFree(self->places);
    PyObject_Free(self);
}

static Py_ssize_t frames_len(Frames *self) { return self->count; }

static PyObject *frames_item(Frames *self, Py_ssize_t i) {
    if (i < 0 || i >= self->count) {
        PyErr_SetString(PyExc_IndexError, "frame index out of range");
        return NULL;
    }
    const uint8_t *frame = bytes_of(self) + self->places[i].offset;
    PyObject *fields = Py_BuildValue("(LLiiy#)", lsn_of(self, i), (long long)(int64_t)load_u64(frame + 8), level_of(frame),
                                     (int)frame[22], (const char *)frame + FRAME_HEADER,
                                     (Py_ssize_t)self->places[i].length);
    if (fields == NULL) return NULL;
    PyObject *made = NULL, *pack = PyTuple_Pack(1, fields);
    /* tuple.__new__(Frame, fields): half the time of Frame(*fields). */
    if (pack != NULL) made = PyTuple_Type.tp_new((PyTypeObject *)frame_class, pack, NULL);
    Py_XDECREF(pack);
    Py_DECREF(fields);
    return made;
}

static PyObject *frames_subscript(Frames *self, PyObject *key) {
    if (!PySlice_Check(key)) {
        Py_ssize_t i = PyNumber_AsSsize_t(key, PyExc_IndexError);
        if (i == -1 && PyErr_Occurred()) return NULL;
        return frames_item(self, i < 0 ? i + self->count : i);
    }
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(key, &start, &stop, &step) < 0) return NULL;
    Py_ssize_t count = PySlice_AdjustIndices(self->count, &start, &stop, step);
    if (step != 1) {
        PyErr_SetString(PyExc_ValueError, "frames are taken in order: the step must be 1");
        return NULL;
    }
    Place *places = PyMem_RawMalloc(count ? (size_t)count * sizeof(Place) : 1);
    if (places == NULL) return PyErr_NoMemory();
    Sum sum = NOTHING;
    for (Py_ssize_t i = 0; i < count; i++) {
        places[i] = self->places[start + i];
        count_in(&sum, bytes_of(self) + places[i].offset, places[i].length);
    }
    return new_frames(self->data, places, count, self->base, sum);
}

/* ---- blocks of lines ----------------------------------------------------------------------------------------- */

PyDoc_STRVAR(lines_doc,
             "lines(head, before, after) -> (block, crc)\n\n"
             "For each frame `head`, its payload, `before`, its LSN as 14 hexadecimal digits, `after`; and the block's "
             "CRC-32.\nWithout the GIL.");

static PyObject *frames_lines(Frames *self, PyObject *args) {
    const char *head, *before, *after;
    Py_ssize_t head_size, before_size, after_size;
    if (!PyArg_ParseTuple(args, "y#y#y#:lines", &head, &head_size, &before, &before_size, &after, &after_size))
        return NULL;
    size_t size = (size_t)self->sum.nbytes + (size_t)self->count * (size_t)(head_size + before_size + after_size);
    for (Py_ssize_t i = 0; i < self->count; i++) size += lsn_digits((unsigned long long)lsn_of(self, i));
    PyObject *block = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (block == NULL) return NULL;
    uint8_t *start = (uint8_t *)PyBytes_AS_STRING(block), *to = start;
    const uint8_t *bytes = bytes_of(self);
    PyThreadState *others = size > WORTH_RELEASING ? PyEval_SaveThread() : NULL;
    for (Py_ssize_t i = 0; i < self->count; i++) {
        to = put(to, head, (size_t)head_size);
        to = put(to, bytes + self->places[i].offset + FRAME_HEADER, self->places[i].length);
        to = put(to, before, (size_t)before_size);
        to = put_lsn(to, (unsigned long long)lsn_of(self, i));
        to = put(to, after, (size_t)after_size);
    }
    uint32_t crc = crc32_of(start, size, 0);
    if (others != NULL) PyEval_RestoreThread(others);
    return Py_BuildValue("Nk", block, (unsigned long)crc);
}

PyDoc_STRVAR(lsns_doc, "lsns() -> memoryview of the LSNs, signed 64 bits each");

static PyObject *frames_lsns(Frames *self, PyObject *Py_UNUSED(none)) {
    PyObject *packed = PyBytes_FromStringAndSize(NULL, self->count * (Py_ssize_t)sizeof(int64_t));
    if (packed == NULL) return NULL;
    uint8_t *to = (uint8_t *)PyBytes_AS_STRING(packed);
    for (Py_ssize_t i = 0; i < self->count; i++) {
        int64_t lsn = lsn_of(self, i);
        to = put(to, &lsn, sizeof lsn);
    }
    PyObject *view = PyMemoryView_FromObject(packed);
    Py_DECREF(packed);
    if (view == NULL) return NULL;
    PyObject *cast = PyObject_CallMethod(view, "cast", "s", "q");
    Py_DECREF(view);
    return cast;
}

static PyMethodDef frames_methods[] = {{"lines", (PyCFunction)frames_lines, METH_VARARGS, lines_doc},
                                       {"lsns", (PyCFunction)frames_lsns, METH_NOARGS, lsns_doc},
                                       {NULL, NULL, 0, NULL}};

static PyMemberDef frames_members[] = {
    {"nbytes", T_LONGLONG, offsetof(Frames, sum.nbytes), READONLY, "bytes of all payloads"},
    {"min_level", T_INT, offsetof(Frames, sum.min_level), READONLY, "the lowest level; 32767 where there is no frame"},
    {"sealed", T_BOOL, offsetof(Frames, sum.sealed), READONLY, "whether a payload is an envelope"},
    {NULL, 0, 0, 0, NULL}};

static PySequenceMethods frames_sequence = {.sq_length = (lenfunc)frames_len, .sq_item = (ssizeargfunc)frames_item};
static PyMappingMethods frames_mapping = {.mp_length = (lenfunc)frames_len,
                                          .mp_subscript = (binaryfunc)frames_subscript};

PyTypeObject FramesType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "otel_stdlib._native._core.Frames",
    .tp_doc = PyDoc_STR("Frames of one buffer, in order: a sequence of Frame that makes its items when asked."),
    .tp_basicsize = sizeof(Frames),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_dealloc = (destructor)frames_dealloc,
    .tp_as_sequence = &frames_sequence,
    .tp_as_mapping = &frames_mapping,
    .tp_methods = frames_methods,
    .tp_members = frames_members,
};
