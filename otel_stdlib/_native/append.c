/* The writing end of a spool: one frame into the mapping of its current segment. Specified by Spool.append.

   From the reservation to the commit no Python code runs and the GIL is held, so there is no lock: neither a signal
   handler nor a finalizer nor another thread can come between, and what is published is always complete. */
#include "native.h"

#include <structmember.h>

/* Reservations of a segment: what io.BytesIO().seek and .tell do for pure Python. */
typedef struct {
    PyObject_HEAD
    long long position;
} Counter;

static PyObject *counter_seek(Counter *self, PyObject *const *args, Py_ssize_t count) {
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "seek(size, 1) is expected");
        return NULL;
    }
    long long size = PyLong_AsLongLong(args[0]);
    if (size == -1 && PyErr_Occurred()) return NULL;
    self->position += size;
    return PyLong_FromLongLong(self->position);
}

static PyObject *counter_tell(Counter *self, PyObject *Py_UNUSED(none)) {
    return PyLong_FromLongLong(self->position);
}

static PyMethodDef counter_methods[] = {
    {"seek", (PyCFunction)(void (*)(void))counter_seek, METH_FASTCALL,
     PyDoc_STR("seek(size, 1) -> the position behind `size` more bytes")},
    {"tell", (PyCFunction)counter_tell, METH_NOARGS, PyDoc_STR("tell() -> the position")},
    {NULL, NULL, 0, NULL}};

PyTypeObject CounterType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "otel_stdlib._native._core.Counter",
    .tp_doc = PyDoc_STR("How many bytes of a segment are reserved."),
    .tp_basicsize = sizeof(Counter),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_methods = counter_methods,
};

/* ---- Tip ------------------------------------------------------------------------------------------------------ */

typedef struct {
    PyObject_HEAD
    PyObject *segment; /* that is written now; the rest is taken from it. `bytes.buf` is NULL where nothing can be */
    Counter *counter;
    Py_buffer bytes;
    long long base, capacity;
    long long published, floor;
    uint32_t seed;
    PyObject *slow; /* slow(payload, level, severity, time_ns) */
} Tip;

static int tip_init(Tip *self, PyObject *args, PyObject *Py_UNUSED(keywords)) {
    PyObject *slow;
    unsigned int seed;
    if (!PyArg_ParseTuple(args, "IO:Tip", &seed, &slow)) return -1;
    self->seed = seed;
    self->floor = LLONG_MIN;
    Py_INCREF(slow);
    Py_XSETREF(self->slow, slow);
    return 0;
}

static int tip_traverse(Tip *self, visitproc visit, void *arg) {
    Py_VISIT(self->slow);
    Py_VISIT(self->segment);
    Py_VISIT(self->bytes.obj);
    return 0;
}

/* All of it in one go: letting go of the old segment may run Python code that logs. */
static void write_into(Tip *self, PyObject *segment, Counter *counter, Py_buffer bytes, long long base, long long capacity) {
    Py_buffer old_bytes = self->bytes;
    PyObject *old_segment = self->segment;
    Counter *old_counter = self->counter;
    self->bytes = bytes;
    self->segment = segment;
    self->counter = counter;
    self->base = base;
    self->capacity = capacity;
    if (old_bytes.buf != NULL) PyBuffer_Release(&old_bytes);
    Py_XDECREF(old_segment);
    Py_XDECREF(old_counter);
}

static int tip_clear(Tip *self) {
    write_into(self, NULL, NULL, (Py_buffer){0}, 0, -1);
    Py_CLEAR(self->slow);
    return 0;
}

static void tip_dealloc(Tip *self) {
    PyObject_GC_UnTrack(self);
    tip_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* Whether it is an int between the two. No error is set. */
static int as_number(PyObject *from, long long low, long long high, long long *to) {
    int overflow;
    if (!PyLong_Check(from)) return 0;
    *to = PyLong_AsLongLongAndOverflow(from, &overflow);
    return !overflow && *to >= low && *to <= high;
}

/* The LSN of the frame that is written now, -1 where there is no room for it. */
static long long write_frame(Tip *self, const uint8_t *payload, size_t length, long long level, unsigned severity,
                             long long time_ns) {
    long long size = (long long)length + FRAME_HEADER;
    if (self->bytes.buf == NULL || length > FRAME_MAX_PAYLOAD || self->capacity - self->counter->position < size)
        return -1;
    long long start = self->counter->position;
    uint8_t *frame = (uint8_t *)self->bytes.buf + start;
    uint8_t tail[FRAME_HEADER - 8];
    int64_t time = time_ns;
    uint32_t bytes = (uint32_t)length;
    int16_t level_field = (int16_t)level;
    memcpy(tail, &time, 8);
    memcpy(tail + 8, &bytes, 4);
    memcpy(tail + 12, &level_field, 2);
    tail[14] = (uint8_t)severity;
    tail[15] = 0;
    uint64_t check = crc32_of(payload, length, crc32_of(tail, sizeof tail, self->seed));
    uint64_t prefix = check << 32 | FRAME_MAGIC;
    self->counter->position = start + size;
    memcpy(frame + 8, tail, sizeof tail);
    memcpy(frame + FRAME_HEADER, payload, length);
    /* Whatever kills the process: the commit is one store, behind everything else. */
    __atomic_thread_fence(__ATOMIC_RELEASE);
    memcpy(frame, &prefix, sizeof prefix);
    self->published = self->base + start + size;
    return self->base + start;
}

static PyObject *put(Tip *self, PyObject *const *args, Py_ssize_t count, int falls) {
    if (count < 4 || !PyBytes_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "append(payload, level, severity, time_ns) is expected");
        return NULL;
    }
    long long level, severity, time_ns, lsn = -1;
    int fits = as_number(args[1], INT16_MIN, INT16_MAX, &level) && as_number(args[2], 0, UINT8_MAX, &severity) &&
               as_number(args[3], INT64_MIN, INT64_MAX, &time_ns);
    if (fits && (!falls || level >= self->floor))
        lsn = write_frame(self, (const uint8_t *)PyBytes_AS_STRING(args[0]), (size_t)PyBytes_GET_SIZE(args[0]), level,
                          (unsigned)severity, time_ns);
    if (lsn < 0 && falls) return PyObject_Vectorcall(self->slow, args, 4, NULL);
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "level, severity or time out of range");
        return NULL;
    }
    return PyLong_FromLongLong(lsn);
}

static PyObject *tip_append(Tip *self, PyObject *const *args, Py_ssize_t count) { return put(self, args, count, 1); }

static PyObject *tip_try(Tip *self, PyObject *const *args, Py_ssize_t count) { return put(self, args, count, 0); }

PyDoc_STRVAR(use_doc,
             "use(segment, counter, view, base, capacity, after=None) -> bool\n\n"
             "Write into `segment` from now on; `view` None: into none. With `after` only if that is the segment which\n"
             "is written until now: False where another call was faster.");

static PyObject *tip_use(Tip *self, PyObject *args) {
    PyObject *segment, *counter, *view, *after = Py_None;
    long long base, capacity;
    if (!PyArg_ParseTuple(args, "OO!OLL|O:use", &segment, &CounterType, &counter, &view, &base, &capacity, &after))
        return NULL;
    if (after != Py_None && after != self->segment) Py_RETURN_FALSE;
    Py_buffer bytes = {0};
    if (view != Py_None && PyObject_GetBuffer(view, &bytes, PyBUF_WRITABLE) < 0) return NULL;
    if (bytes.buf != NULL && (capacity > bytes.len || ((Counter *)counter)->position < 0)) {
        PyBuffer_Release(&bytes);
        PyErr_SetString(PyExc_ValueError, "the view is smaller than the capacity");
        return NULL;
    }
    Py_INCREF(segment);
    Py_INCREF(counter);
    write_into(self, segment, (Counter *)counter, bytes, base, capacity);
    Py_RETURN_TRUE;
}

static PyObject *tip_raise(Tip *self, PyObject *lsn) {
    long long value = PyLong_AsLongLong(lsn);
    if (value == -1 && PyErr_Occurred()) return NULL;
    if (value > self->published) self->published = value;
    Py_RETURN_NONE;
}

static PyMethodDef tip_methods[] = {
    {"append", (PyCFunction)(void (*)(void))tip_append, METH_FASTCALL,
     PyDoc_STR("append(payload, level, severity, time_ns) -> as Spool.append; what is not ordinary goes to `slow`")},
    {"try_append", (PyCFunction)(void (*)(void))tip_try, METH_FASTCALL,
     PyDoc_STR("try_append(payload, level, severity, time_ns) -> the LSN, -1 where there is no room. Below the floor too")},
    {"use", (PyCFunction)tip_use, METH_VARARGS, use_doc},
    {"publish", (PyCFunction)tip_raise, METH_O, PyDoc_STR("publish(lsn) -> None; never back")},
    {NULL, NULL, 0, NULL}};

static PyMemberDef tip_members[] = {
    {"segment", T_OBJECT, offsetof(Tip, segment), READONLY, "the segment that is written now"},
    {"published", T_LONGLONG, offsetof(Tip, published), READONLY, "the LSN below which every frame is committed"},
    {"floor", T_LONGLONG, offsetof(Tip, floor), 0, "the lowest level that is taken"},
    {NULL, 0, 0, 0, NULL}};

PyTypeObject TipType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "otel_stdlib._native._core.Tip",
    .tp_doc = PyDoc_STR("Tip(seed, slow): the writing end of a spool."),
    .tp_basicsize = sizeof(Tip),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)tip_init,
    .tp_dealloc = (destructor)tip_dealloc,
    .tp_traverse = (traverseproc)tip_traverse,
    .tp_clear = (inquiry)tip_clear,
    .tp_methods = tip_methods,
    .tp_members = tip_members,
};
