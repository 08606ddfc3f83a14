/* Frames as rows of PostgreSQL's COPY, in pieces, without the GIL.

   The quick path of otel_stdlib/handlers/postgres/rows.py specifies it. A line that is not ordinary is left
   out, for Python; one whose members between span and attributes are new ends a piece, until Python has said what rows
   have for them. */
#include "frames.h"
#include "known.h"
#include "line.h"

/* Python makes so many rows at most before it is asked for more. */
#define MOST_LEFT_OUT 256

typedef struct {
    PyObject_HEAD
    PyObject *uid; /* the attribute log.record.uid up to its LSN */
    Known middles; /* from the span to the attributes of the line, by its members there */
    Py_ssize_t severity_length, body_length;
    int busy;
} RowWriter;

/* The parts of a line. */
typedef struct {
    Text time, severity, number, body, trace, span, members, rest;
    size_t backslashes; /* in `rest` */
} Line;

/* A frame that is not ordinary, and where its row belongs. */
typedef struct {
    Py_ssize_t frame, offset;
} Gap;

typedef enum { ORDINARY, NOT_ORDINARY, NEW_MEMBERS, NO_ROOM } Answer;

/* 2026-11-30T12:00:00.123456Z, with one to nine digits of a second or none. */
static int is_time(Text text) {
    static const char form[] = "dddd-dd-ddTdd:dd:dd";
    size_t size = size_of(text), fixed = sizeof form - 1;
    if (size < fixed + 1 || size > fixed + 11 || size == fixed + 2 || text.end[-1] != 'Z') return 0;
    for (size_t i = 0; i < fixed; i++)
        if (form[i] == 'd' ? !is_digit(text.at[i]) : text.at[i] != (uint8_t)form[i]) return 0;
    if (size > fixed + 1 && text.at[fixed] != '.') return 0;
    for (const uint8_t *at = text.at + fixed + 1; at < text.end - 1; at++)
        if (!is_digit(*at)) return 0;
    return 1;
}

/* An id of so many characters, none where the line has none. */
static int id(Text *rest, const char *name, size_t name_size, size_t size, Text *found) {
    *found = (Text){NULL, NULL};
    return !skip(rest, name, name_size) || (plain_text(rest, found) && size_of(*found) == size);
}
#define ID(rest, name, size, found) id(rest, ",\"" name "\":\"", sizeof(",\"" name "\":\"") - 1, size, found)

static int members(Text *rest, Text *found) {
    Text text;
    found->at = rest->at;
    if (SKIP(rest, ",\"trace_flags\":\"") && !(plain_text(rest, &text) && size_of(text) == 2)) return 0;
    if (SKIP(rest, ",\"event_name\":\"") && !plain_text(rest, &text)) return 0;
    if (!(SKIP(rest, ",\"scope\":{\"name\":\"") && plain_text(rest, &text) && SKIP(rest, "}"))) return 0;
    if (SKIP(rest, ",\"otel.dropped_attributes_count\":") && !digits(rest, &text)) return 0;
    found->end = rest->at;
    return SKIP(rest, ",\"attributes\":{");
}

/* How many backslashes there are; -1 where one begins an escape by number. */
static long long count_backslashes(Text text) {
    long long count = 0;
    while ((text.at = memchr(text.at, '\\', size_of(text))) != NULL) {
        if (++text.at < text.end && *text.at == 'u') return -1;
        count++;
    }
    return count;
}

static int take_apart(const RowWriter *self, Text rest, Line *line) {
    long long backslashes = count_backslashes(rest);
    if (backslashes < 0) return 0;
    if (!(SKIP(&rest, "{\"timestamp\":\"") && plain_text(&rest, &line->time) && is_time(line->time))) return 0;
    if (!(SKIP(&rest, ",\"severity_text\":\"") && plain_text(&rest, &line->severity))) return 0;
    if (!(SKIP(&rest, ",\"severity_number\":") && digits(&rest, &line->number))) return 0;
    if (!(SKIP(&rest, ",\"body\":\"") && (backslashes ? escaped_text : plain_text)(&rest, &line->body))) return 0;
    if (!ID(&rest, "trace_id", 32, &line->trace) || !ID(&rest, "span_id", 16, &line->span)) return 0;
    if (size_of(line->severity) > (size_t)self->severity_length || size_of(line->body) > (size_t)self->body_length)
        return 0;
    if (!members(&rest, &line->members)) return 0;
    line->rest = rest;
    line->backslashes = backslashes ? (size_t)count_backslashes(rest) : 0;
    return 1;
}

static uint8_t *put_text(uint8_t *to, Text text) { return put(to, text.at, size_of(text)); }

static uint8_t *put_field(uint8_t *to, Text text) {
    to = text.at == NULL ? put(to, "\\N", 2) : put_text(to, text);
    *to++ = '\t';
    return to;
}

/* With every backslash doubled. */
static uint8_t *put_doubled(uint8_t *to, Text text) {
    for (const uint8_t *found; (found = memchr(text.at, '\\', size_of(text))) != NULL; text.at = found + 1) {
        to = put(to, text.at, (size_t)(found - text.at) + 1);
        *to++ = '\\';
    }
    return put_text(to, text);
}

/* No Python in here: it runs without the GIL. */
static Answer put_row(const RowWriter *self, const Frames *frames, Py_ssize_t i, uint8_t **to, const uint8_t *end,
                      Text *new_members) {
    Line line;
    Text payload = {payload_of(frames, i), payload_of(frames, i) + frames->places[i].length};
    if (!take_apart(self, payload, &line)) return NOT_ORDINARY;
    const Piece *middle = known_find(&self->middles, line.members.at, size_of(line.members));
    if (middle == NULL) {
        *new_members = line.members;
        return NEW_MEMBERS;
    }
    size_t most = size_of(payload) + line.backslashes + (size_t)PyBytes_GET_SIZE(middle->value) +
                  (size_t)PyBytes_GET_SIZE(self->uid) + LSN_ROOM + 32;
    if ((size_t)(end - *to) < most) return NO_ROOM;
    uint8_t *at = *to;
    at = put_field(at, line.time);
    at = put_field(at, line.severity);
    at = put_field(at, line.number);
    at = put_field(at, line.body);
    at = put_field(at, line.trace);
    at = line.span.at == NULL ? put(at, "\\N", 2) : put_text(at, line.span);
    at = put_bytes(at, middle->value);
    at = line.backslashes ? put_doubled(at, line.rest) : put_text(at, line.rest);
    at = put_bytes(at, self->uid);
    at = put_lsn(at, (unsigned long long)lsn_of(frames, i));
    *to = put(at, "\"}\n", 3);
    return ORDINARY;
}

PyDoc_STRVAR(write_doc,
             "write(frames, first, most_bytes, learn) -> (rows, next, members, left_out)\n\n"
             "Rows of frames from number `first` on, up to frame `next`, but for those that are `left_out`, as (number "
             "of the frame, offset in\nthe rows): they are not ordinary. Where `learn` is true, it ends at members that "
             "are not known, which are not empty then.");

static PyObject *list_of(const Gap *gaps, Py_ssize_t count) {
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyObject *pair = Py_BuildValue("nn", gaps[i].frame, gaps[i].offset);
        if (pair == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, pair);
    }
    return list;
}

static PyObject *row_writer_write(RowWriter *self, PyObject *args) {
    Frames *frames;
    Py_ssize_t i, most, count = 0;
    int learn;
    if (!PyArg_ParseTuple(args, "O!nnp:write", &FramesType, &frames, &i, &most, &learn)) return NULL;
    if (i < 0 || most < 0) {
        PyErr_SetString(PyExc_ValueError, "first or most_bytes out of range");
        return NULL;
    }
    if (self->busy) {
        PyErr_SetString(PyExc_RuntimeError, "another thread uses it");
        return NULL;
    }
    PyObject *rows = PyBytes_FromStringAndSize(NULL, most);
    if (rows == NULL) return NULL;
    uint8_t *start = (uint8_t *)PyBytes_AS_STRING(rows), *to = start;
    Gap gaps[MOST_LEFT_OUT];
    Text members = {NULL, NULL};
    self->busy = 1;
    PyThreadState *others = frames->sum.nbytes > WORTH_RELEASING ? PyEval_SaveThread() : NULL;
    for (; i < frames->count && count < MOST_LEFT_OUT; i++) {
        Answer answer = put_row(self, frames, i, &to, start + most, &members);
        if (answer == ORDINARY) continue;
        if (answer == NO_ROOM && to > start) break;
        if (answer == NEW_MEMBERS && learn) break;
        members = (Text){NULL, NULL};
        gaps[count++] = (Gap){i, to - start}; /* a row larger than all the room, too */
    }
    if (others != NULL) PyEval_RestoreThread(others);
    self->busy = 0;
    if (_PyBytes_Resize(&rows, to - start) < 0) return NULL;
    return Py_BuildValue("Nny#N", rows, i, members.at == NULL ? "" : (const char *)members.at,
                         (Py_ssize_t)size_of(members), list_of(gaps, count));
}

PyDoc_STRVAR(know_doc, "know(members, middle) -> None: what rows have for members of lines, resource and all");

static PyObject *row_writer_know(RowWriter *self, PyObject *args) {
    PyObject *key, *middle;
    if (!PyArg_ParseTuple(args, "SS:know", &key, &middle)) return NULL;
    if (self->busy) {
        PyErr_SetString(PyExc_RuntimeError, "another thread uses it");
        return NULL;
    }
    if (!known_add(&self->middles, key, middle, 0)) return NULL;
    Py_RETURN_NONE;
}

static PyObject *row_writer_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(named)) {
    PyObject *uid;
    Py_ssize_t severity_length, body_length;
    if (!PyArg_ParseTuple(args, "Snn:RowWriter", &uid, &severity_length, &body_length)) return NULL;
    if (severity_length < 0 || body_length < 0) {
        PyErr_SetString(PyExc_ValueError, "a length must not be negative");
        return NULL;
    }
    RowWriter *self = (RowWriter *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    Py_INCREF(uid);
    self->uid = uid;
    self->severity_length = severity_length;
    self->body_length = body_length;
    return (PyObject *)self;
}

static void row_writer_dealloc(RowWriter *self) {
    known_clear(&self->middles);
    Py_XDECREF(self->uid);
    Py_TYPE(self)->tp_free(self);
}

static PyMethodDef row_writer_methods[] = {{"know", (PyCFunction)row_writer_know, METH_VARARGS, know_doc},
                                           {"write", (PyCFunction)row_writer_write, METH_VARARGS, write_doc},
                                           {NULL, NULL, 0, NULL}};

PyTypeObject RowWriterType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "otel_stdlib._native._core.RowWriter",
    .tp_doc = PyDoc_STR("RowWriter(uid, severity_length, body_length): rows of one origin, for one thread at a time"),
    .tp_basicsize = sizeof(RowWriter),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = row_writer_new,
    .tp_dealloc = (destructor)row_writer_dealloc,
    .tp_methods = row_writer_methods,
};
