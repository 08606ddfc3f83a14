/* Frames as Kafka messages.

   otel_stdlib/handlers/kafka/message.py specifies them. What is made are Python's objects, so the GIL is held; but
   neither a Frame nor any object between it and the message is made. */
#include "frames.h"
#include "line.h"

#define UID_MEMBER "\"log.record.uid\":\""
#define TRACE_SIZE 32
#define MILLISECOND 1000000
/* An LSN of a uid is seven bytes. */
#define MOST_LSN (1ULL << 56)

typedef struct {
    PyObject *topic, *uid_start, *end, *uid_header, *severities, *content_type;
    long long now;
} Given;

#define SCOPE ",\"scope\":{"

static int has_scope(Text rest) {
    const size_t size = sizeof(SCOPE) - 1;
    for (const uint8_t *at = rest.at; (at = memchr(at, '{', (size_t)(rest.end - at))) != NULL; at++)
        if ((size_t)(at - rest.at) + 1 >= size && memcmp(at + 1 - size, SCOPE, size) == 0) return 1;
    return 0;
}

/* The trace's id, nothing where the line has none; 0 where it is not ordinary. */
static int find_key(Text rest, Text *trace) {
    Text text;
    *trace = (Text){NULL, NULL};
    if (!(SKIP(&rest, "{\"timestamp\":\"") && plain_text(&rest, &text))) return 0;
    if (!(SKIP(&rest, ",\"severity_text\":\"") && plain_text(&rest, &text))) return 0;
    if (!(SKIP(&rest, ",\"severity_number\":") && digits(&rest, &text))) return 0;
    if (!(SKIP(&rest, ",\"body\":\"") && escaped_text(&rest, &text))) return 0;
    if (!SKIP(&rest, ",\"trace_id\":\"")) return SKIP(&rest, SCOPE);
    if (size_of(rest) < TRACE_SIZE || !has_scope(rest)) return 0;
    *trace = (Text){rest.at, rest.at + TRACE_SIZE};
    return 1;
}

static PyObject *make_uid(const Given *given, unsigned long long lsn) {
    PyObject *uid = PyBytes_FromStringAndSize(NULL, PyBytes_GET_SIZE(given->uid_start) + (Py_ssize_t)lsn_digits(lsn));
    if (uid != NULL) put_lsn(put_bytes((uint8_t *)PyBytes_AS_STRING(uid), given->uid_start), lsn);
    return uid;
}

static PyObject *make_value(const Given *given, Text payload, PyObject *uid) {
    Py_ssize_t size = (Py_ssize_t)(size_of(payload) + sizeof(UID_MEMBER) - 1);
    PyObject *value = PyBytes_FromStringAndSize(NULL, size + PyBytes_GET_SIZE(uid) + PyBytes_GET_SIZE(given->end));
    if (value == NULL) return NULL;
    uint8_t *to = put((uint8_t *)PyBytes_AS_STRING(value), payload.at, size_of(payload));
    to = put(to, UID_MEMBER, sizeof(UID_MEMBER) - 1);
    put_bytes(put_bytes(to, uid), given->end);
    return value;
}

static PyObject *make_headers(const Given *given, PyObject *uid, uint8_t severity) {
    PyObject *headers = PyList_New(3);
    if (headers == NULL) return NULL;
    PyObject *own = PyTuple_Pack(2, given->uid_header, uid);
    if (own == NULL) {
        Py_DECREF(headers);
        return NULL;
    }
    PyList_SET_ITEM(headers, 0, own);
    PyObject *others[] = {PyList_GET_ITEM(given->severities, severity), given->content_type};
    for (int i = 0; i < 2; i++) {
        Py_INCREF(others[i]);
        PyList_SET_ITEM(headers, 1 + i, others[i]);
    }
    return headers;
}

/* Python's floor division. */
static long long milliseconds(long long time_ns) {
    return time_ns / MILLISECOND - (time_ns % MILLISECOND < 0);
}

static PyObject *make_message(const Given *given, const Frames *frames, Py_ssize_t i, Text payload, Text trace) {
    unsigned long long lsn = (unsigned long long)lsn_of(frames, i);
    long long time_ns = time_of(frames, i);
    uint8_t severity = (payload.at - FRAME_HEADER)[22];
    PyObject *message = PyTuple_New(6), *uid = make_uid(given, lsn), *fields[6] = {NULL};
    int complete = message != NULL && uid != NULL;
    if (complete) {
        Py_INCREF(given->topic);
        fields[0] = PyLong_FromUnsignedLongLong(lsn);
        fields[1] = given->topic;
        fields[2] = make_value(given, payload, uid);
        fields[4] = make_headers(given, uid, severity);
        fields[5] = PyLong_FromLongLong(milliseconds(time_ns < given->now ? time_ns : given->now));
        if (trace.at != NULL)
            fields[3] = PyBytes_FromStringAndSize((const char *)trace.at, TRACE_SIZE);
        else {
            Py_INCREF(uid);
            fields[3] = uid;
        }
        for (int field = 0; field < 6; field++) {
            complete = complete && fields[field] != NULL;
            PyTuple_SET_ITEM(message, field, fields[field]);
        }
    }
    Py_XDECREF(uid);
    if (!complete) Py_CLEAR(message);
    return message;
}

PyObject *messages(PyObject *Py_UNUSED(module), PyObject *args) {
    Frames *frames;
    Py_ssize_t i, most;
    Given given;
    if (!PyArg_ParseTuple(args, "O!nnUSSOO!OL:messages", &FramesType, &frames, &i, &most, &given.topic,
                          &given.uid_start, &given.end, &given.uid_header, &PyList_Type, &given.severities,
                          &given.content_type, &given.now))
        return NULL;
    if (i < 0 || PyList_GET_SIZE(given.severities) < 256) {
        PyErr_SetString(PyExc_ValueError, "first or severities out of range");
        return NULL;
    }
    PyObject *made = PyList_New(0);
    if (made == NULL) return NULL;
    Text trace;
    for (; i < frames->count && PyList_GET_SIZE(made) < most; i++) {
        Text payload = {payload_of(frames, i), payload_of(frames, i) + frames->places[i].length};
        if ((unsigned long long)lsn_of(frames, i) >= MOST_LSN || !find_key(payload, &trace)) break;
        PyObject *message = make_message(&given, frames, i, payload, trace);
        int kept = message == NULL ? -1 : PyList_Append(made, message);
        Py_XDECREF(message);
        if (kept < 0) {
            Py_DECREF(made);
            return NULL;
        }
    }
    return Py_BuildValue("Nn", made, i);
}
