/* Frames as OTLP's protobuf records, without the GIL.

   otel_stdlib/handlers/otlp/quick.py, with the form for protobuf, specifies it. What a line has that repeats (level,
   place, a head of another kind than a trace) is looked up; for what is new, and
   any line that is not ordinary, Python is asked. The numbers of fields are those of opentelemetry/proto/logs/v1/logs.proto and common.proto. */
#include "frames.h"
#include "known.h"
#include "protobuf.h"

/* A record has at most so many times the bytes of its line, and what is known of it. */
#define MOST_GROWTH 3
#define TRACE_ROOM 40
#define SCOPE_AT "\"scope\":{"

typedef struct {
    PyObject_HEAD
    Known levels, heads, places;
    int busy;
} RecordWriter;

typedef enum { ORDINARY, NOT_ORDINARY, NEW_PIECES, NO_ROOM } Answer;

typedef struct {
    Text level, body, head, place, rest;
} Line;

/* Records of one scope, one behind the other; of no scope: frames that are left out. */
typedef struct {
    int scope;
    size_t start, end;
} Run;
#define LEFT_OUT (-1)
/* Python makes so many records at most before it is asked for more. */
#define MOST_LEFT_OUT 256

/* ---- a line's parts -------------------------------------------------------------------------------------------- */

static int head(Text *rest, Text *found) {
    Text text;
    found->at = rest->at;
    for (;;) {
        if (SKIP(rest, "\"trace_id\":\"") || SKIP(rest, "\"span_id\":\"") || SKIP(rest, "\"trace_flags\":\"") ||
            SKIP(rest, "\"event_name\":\"")) {
            if (!escaped_text(rest, &text)) return 0;
        } else if (!SKIP(rest, "\"otel.dropped_attributes_count\":"))
            break;
        else if (!digits(rest, &text))
            return 0;
        if (!SKIP(rest, ",")) return 0;
    }
    found->end = rest->at;
    return 1;
}

/* Scope, place in the code and thread, whose name is last. */
static int place(Text *rest, Text *found) {
    Text text;
    int complete = 0;
    found->at = rest->at;
    if (!(SKIP(rest, SCOPE_AT "\"name\":\"") && escaped_text(rest, &text) && SKIP(rest, "},\"attributes\":{"))) return 0;
    for (;;) {
        Text name = *rest;
        if (!SKIP(rest, "\"code.") && !SKIP(rest, "\"thread.")) break;
        if (complete) return 0; /* the caller's */
        complete = SKIP(&name, "\"thread.name\":\"");
        if (!(plain_text(rest, &text) && SKIP(rest, ":"))) return 0;
        if (!(SKIP(rest, "\"") ? escaped_text : digits)(rest, &text) || !SKIP(rest, ",")) return 0;
    }
    found->end = rest->at;
    return complete;
}

static int take_apart(Text rest, Line *line) {
    Text text;
    if (!(SKIP(&rest, "{\"timestamp\":\"") && plain_text(&rest, &text) && size_of(text) == 27)) return 0;
    if (!SKIP(&rest, ",")) return 0;
    line->level.at = rest.at;
    if (!(SKIP(&rest, "\"severity_text\":\"") && plain_text(&rest, &text))) return 0;
    if (!(SKIP(&rest, ",\"severity_number\":") && digits(&rest, &text))) return 0;
    line->level.end = rest.at;
    if (!(SKIP(&rest, ",\"body\":\"") && escaped_text(&rest, &line->body) && SKIP(&rest, ","))) return 0;
    if (!head(&rest, &line->head) || !place(&rest, &line->place)) return 0;
    line->rest = rest;
    return 1;
}

/* ---- trace ------------------------------------------------------------------------------------------------------ */

static int nibble(uint8_t digit) {
    if (is_digit(digit)) return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* So many bytes from hexadecimal digits and the quote and comma behind them. */
static int hex(Text *rest, uint8_t *to, size_t size) {
    if (size_of(*rest) < 2 * size) return 0;
    for (; size--; rest->at += 2) {
        int high = nibble(rest->at[0]), low = nibble(rest->at[1]);
        if (high < 0 || low < 0) return 0;
        *to++ = (uint8_t)(high << 4 | low);
    }
    return SKIP(rest, "\",");
}

/* A head that is nothing but a trace; NULL where it is of another kind. */
static uint8_t *put_trace(uint8_t *to, Text rest) {
    uint8_t trace[16], span[8], flags = 0;
    if (size_of(rest) == 0) return to;
    if (!(SKIP(&rest, "\"trace_id\":\"") && hex(&rest, trace, sizeof trace))) return NULL;
    if (!(SKIP(&rest, "\"span_id\":\"") && hex(&rest, span, sizeof span))) return NULL;
    if (SKIP(&rest, "\"trace_flags\":\"") && !hex(&rest, &flags, 1)) return NULL;
    if (size_of(rest) != 0) return NULL;
    if (flags) {
        const uint8_t field[] = {FIELD(8, FIXED32), flags, 0, 0, 0};
        to = put(to, field, sizeof field);
    }
    *to++ = FIELD(9, BYTES);
    *to++ = sizeof trace;
    to = put(to, trace, sizeof trace);
    *to++ = FIELD(10, BYTES);
    *to++ = sizeof span;
    return put(to, span, sizeof span);
}

/* ---- records ---------------------------------------------------------------------------------------------------- */

/* No Python in here: it runs without the GIL. */
static Answer put_record(const RecordWriter *self, const Frames *frames, Py_ssize_t i, PyObject *uid, uint8_t **to,
                         const uint8_t *end, int *scope) {
    Line line;
    Text payload = {payload_of(frames, i), payload_of(frames, i) + frames->places[i].length};
    unsigned long long lsn = (unsigned long long)lsn_of(frames, i);
    long long time_ns = time_of(frames, i);
    if (time_ns < 0 || lsn_digits(lsn) != 14 || !take_apart(payload, &line)) return NOT_ORDINARY;
    const Piece *level = known_find(&self->levels, line.level.at, size_of(line.level));
    const Piece *site = known_find(&self->places, line.place.at, size_of(line.place));
    const Piece *tail = known_find(&self->heads, line.head.at, size_of(line.head));
    uint8_t trace[TRACE_ROOM], *trace_end = put_trace(trace, line.head);
    if (level == NULL || site == NULL || (trace_end == NULL && tail == NULL)) return NEW_PIECES;
    size_t tail_size = trace_end == NULL ? (size_t)PyBytes_GET_SIZE(tail->value) : sizeof trace;
    size_t most = MOST_GROWTH * size_of(payload) + (size_t)PyBytes_GET_SIZE(level->value) + tail_size +
                  (size_t)PyBytes_GET_SIZE(site->value) + (size_t)PyBytes_GET_SIZE(uid) + LSN_ROOM + 64;
    if ((size_t)(end - *to) < most) return NO_ROOM;
    uint8_t *start = *to, *at = start + 1 + VARINT_ROOM;
    *start = FIELD(2, BYTES);
    *at++ = FIELD(1, FIXED64);
    at = put_bytes(put_u64(at, (uint64_t)time_ns), level->value);
    if ((at = put_text_value(at, FIELD(5, BYTES), line.body)) == NULL) return NOT_ORDINARY;
    if ((at = put_attributes(put_bytes(at, site->value), line.rest)) == NULL) return NOT_ORDINARY;
    at = put_lsn(put_bytes(at, uid), lsn);
    at = trace_end == NULL ? put_bytes(at, tail->value) : put(at, trace, (size_t)(trace_end - trace));
    if (trace_end != NULL) *at++ = FIELD(11, FIXED64); /* a tail that is looked up ends with it */
    *to = close_field(start + 1, put_u64(at, (uint64_t)time_ns));
    *scope = site->tag;
    return ORDINARY;
}

static PyObject *item_of(const Run *run, const uint8_t *bytes) {
    Py_ssize_t start = (Py_ssize_t)run->start, end = (Py_ssize_t)run->end;
    if (run->scope == LEFT_OUT) return Py_BuildValue("i(nn)", LEFT_OUT, start, end);
    return Py_BuildValue("iy#", run->scope, (const char *)bytes + start, end - start);
}

static PyObject *list_of(const Run *runs, Py_ssize_t count, const uint8_t *bytes) {
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyObject *item = item_of(&runs[i], bytes);
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, item);
    }
    return list;
}

static void add_run(Run *runs, Py_ssize_t *count, int scope, size_t start, size_t end) {
    Run *last = *count ? &runs[*count - 1] : NULL;
    if (last == NULL || last->scope != scope || last->end != start)
        runs[(*count)++] = (Run){scope, start, end};
    else
        last->end = end;
}

PyDoc_STRVAR(write_doc,
             "write(frames, first, uid, most_bytes, learn) -> (runs, next, is_new)\n\n"
             "Records of frames from number `first` on, up to frame `next`, in runs of one scope each, as (scope, bytes); "
             "(-1, (first, next)) are\nframes that are not ordinary. Where `learn` is true, it ends at a line with a "
             "piece that is not known, and so it says.\n`uid`: the attribute up to its last 14 characters.");

static PyObject *record_writer_write(RecordWriter *self, PyObject *args) {
    Frames *frames;
    PyObject *uid;
    Py_ssize_t i, most, count = 0;
    int learn, is_new = 0, left_out = 0;
    if (!PyArg_ParseTuple(args, "O!nSnp:write", &FramesType, &frames, &i, &uid, &most, &learn)) return NULL;
    if (i < 0 || most < 0) {
        PyErr_SetString(PyExc_ValueError, "first or most_bytes out of range");
        return NULL;
    }
    if (self->busy) {
        PyErr_SetString(PyExc_RuntimeError, "another thread uses it");
        return NULL;
    }
    size_t left = i < frames->count ? (size_t)(frames->count - i) : 0;
    uint8_t *bytes = PyMem_RawMalloc((size_t)most + 1), *to = bytes;
    Run *runs = PyMem_RawMalloc((left + 1) * sizeof(Run));
    if (bytes != NULL && runs != NULL) {
        self->busy = 1;
        PyThreadState *others = frames->sum.nbytes > WORTH_RELEASING ? PyEval_SaveThread() : NULL;
        for (; i < frames->count && left_out < MOST_LEFT_OUT; i++) {
            int scope;
            size_t start = (size_t)(to - bytes);
            Answer answer = put_record(self, frames, i, uid, &to, bytes + most, &scope);
            is_new = answer == NEW_PIECES && learn;
            if (is_new || (answer == NO_ROOM && start > 0)) break;
            if (answer == ORDINARY)
                add_run(runs, &count, scope, start, (size_t)(to - bytes));
            else { /* a record larger than all the room, too */
                add_run(runs, &count, LEFT_OUT, (size_t)i, (size_t)i + 1);
                left_out++;
            }
        }
        if (others != NULL) PyEval_RestoreThread(others);
        self->busy = 0;
    }
    PyObject *list = bytes != NULL && runs != NULL ? list_of(runs, count, bytes) : PyErr_NoMemory();
    PyMem_RawFree(bytes);
    PyMem_RawFree(runs);
    return list == NULL ? NULL : Py_BuildValue("NnN", list, i, PyBool_FromLong(is_new));
}

PyDoc_STRVAR(know_doc,
             "know(level, level_field, head, tail, place, site, scope) -> None\n\n"
             "Pieces of a line, each with what records have for it; the number of the place's scope.");

static PyObject *record_writer_know(RecordWriter *self, PyObject *args) {
    PyObject *level, *field, *head, *tail, *place, *site;
    int scope;
    if (!PyArg_ParseTuple(args, "SSSSSSi:know", &level, &field, &head, &tail, &place, &site, &scope)) return NULL;
    if (self->busy) {
        PyErr_SetString(PyExc_RuntimeError, "another thread uses it");
        return NULL;
    }
    uint8_t trace[TRACE_ROOM];
    Text text = {(const uint8_t *)PyBytes_AS_STRING(head), NULL};
    text.end = text.at + PyBytes_GET_SIZE(head);
    if (!known_add(&self->levels, level, field, 0) || !known_add(&self->places, place, site, scope)) return NULL;
    if (put_trace(trace, text) == NULL && !known_add(&self->heads, head, tail, 0)) return NULL;
    Py_RETURN_NONE;
}

static void record_writer_dealloc(RecordWriter *self) {
    known_clear(&self->levels);
    known_clear(&self->heads);
    known_clear(&self->places);
    Py_TYPE(self)->tp_free(self);
}

static PyMethodDef record_writer_methods[] = {{"know", (PyCFunction)record_writer_know, METH_VARARGS, know_doc},
                                              {"write", (PyCFunction)record_writer_write, METH_VARARGS, write_doc},
                                              {NULL, NULL, 0, NULL}};

PyTypeObject RecordWriterType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "otel_stdlib._native._core.RecordWriter",
    .tp_doc = PyDoc_STR("RecordWriter(): OTLP's records, for one thread at a time"),
    .tp_basicsize = sizeof(RecordWriter),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = (destructor)record_writer_dealloc,
    .tp_methods = record_writer_methods,
};
