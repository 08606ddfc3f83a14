/* An ordinary record as one open line of JSON. Specified by LineEncoder.encode; whatever is not ordinary goes there.

   Ordinary is: a LogRecord with its own fields first and in order, a text as message, extras of plain types under
   names without a meaning or with that of a trace and an event. Code of others runs in five places only, the look-up of
   a new call site, the formatting of the message, the reading of new trace fields, the rendering of an exception or a
   stack, and opentelemetry's current span: what is needed over one of these is owned, and the record's fields are
   looked at again behind them. */
#include "encode.h"

#define ON_STACK 4096
typedef struct {
    const char *text;
    size_t size;
} Text;

static int text_of(PyObject *from, Text *to) {
    Py_ssize_t size;
    to->text = PyUnicode_AsUTF8AndSize(from, &size); /* NULL for half a surrogate pair */
    to->size = (size_t)size;
    return to->text != NULL;
}

static char *put(char *to, const char *from, size_t size) {
    memcpy(to, from, size);
    return to + size;
}

static char *put_bytes(char *to, PyObject *bytes) {
    return bytes == NULL ? to : put(to, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
}

static size_t size_of(PyObject *bytes) { return bytes == NULL ? 0 : (size_t)PyBytes_GET_SIZE(bytes); }

/* `"key":value,` for each, into room for all of them; NULL where Python has to. */
static char *put_extras(const Encoder *self, char *to, const Fields *fields, const Text *keys, const Text *texts) {
    char *start = to;
    for (int i = 0; i < fields->extras; i++) {
        PyObject *value = fields->values[i];
        to = json_text(to, keys[i].text, keys[i].size);
        *to++ = ':';
        if (texts[i].text != NULL) {
            to = json_text(to, texts[i].text, texts[i].size);
        } else if (value == Py_None) {
            to = put(to, "null", 4);
        } else if (value == Py_True) {
            to = put(to, "true", 4);
        } else if (value == Py_False) {
            to = put(to, "false", 5);
        } else if (PyFloat_CheckExact(value)) {
            to = json_float(to, PyFloat_AS_DOUBLE(value));
            if (to == NULL) return NULL;
        } else {
            long long number;
            if (!as_integer(value, &number)) return NULL;
            to = json_integer(to, number);
        }
        *to++ = ',';
    }
    /* As JSON with its braces: see LineEncoder._fit. */
    Py_ssize_t length = to - start + 1;
    if (length > self->short_bytes) {
        if (length > self->fast_bytes) return NULL;
        for (int i = 0; i < fields->extras; i++)
            if (PyUnicode_GET_LENGTH(fields->keys[i]) > self->key_length) return NULL;
    }
    return to;
}

/* A new tuple, or NULL, with no error set, where Python has to encode. `message` is the finished one. */
static PyObject *line_of(Encoder *self, const Fields *fields, PyObject *message, PyObject *head, PyObject *middle,
                         int severity, PyObject *trace, PyObject *correlation, PyObject *event, PyObject *error) {
    Text body, task = {NULL, 0}, keys[MOST_EXTRAS], texts[MOST_EXTRAS];
    if (PyUnicode_GET_LENGTH(message) > self->body_length || !text_of(message, &body)) return NULL;
    if (self->has_task && fields->own[TASKNAME] != Py_None && !text_of(fields->own[TASKNAME], &task)) return NULL;
    size_t room = STAMP_ROOM + 16 + size_of(head) + JSON_TEXT_ROOM(body.size) + size_of(trace) + size_of(event) +
                  size_of(middle) + size_of(correlation) + JSON_TEXT_ROOM(task.size) + size_of(error) + 32;
    for (int i = 0; i < fields->extras; i++) {
        texts[i] = (Text){NULL, 0};
        if (!text_of(fields->keys[i], &keys[i])) return NULL;
        if (PyUnicode_CheckExact(fields->values[i]) && !text_of(fields->values[i], &texts[i])) return NULL;
        room += JSON_TEXT_ROOM(keys[i].size) + JSON_TEXT_ROOM(texts[i].size) + JSON_NUMBER_ROOM;
    }
    char on_stack[ON_STACK], *buffer = room <= ON_STACK ? on_stack : PyMem_Malloc(room);
    if (buffer == NULL) return NULL;
    long long time_ns;
    char *to = put_stamp(self, buffer, PyFloat_AS_DOUBLE(fields->own[CREATED]), &time_ns);
    to = put_bytes(to, head);
    to = json_text(to, body.text, body.size);
    *to++ = ',';
    to = put_bytes(to, trace);
    to = put_bytes(to, event);
    to = put_bytes(to, middle);
    to = put_bytes(to, correlation);
    char *attributes = to;
    if (task.text != NULL) {
        to = put(to, "\"asyncio.task.name\":", 20);
        to = json_text(to, task.text, task.size);
        *to++ = ',';
    }
    to = put_bytes(to, error);
    to = put_extras(self, to, fields, keys, texts);
    PyObject *result = NULL;
    if (to != NULL && to - attributes <= self->most_bytes)
        result = Py_BuildValue("(y#iL)", buffer, (Py_ssize_t)(to - buffer), severity, time_ns);
    if (buffer != on_stack) PyMem_Free(buffer);
    return result;
}

PyObject *encode_fast(Encoder *self, PyObject *record, PyObject *dict, int *nothing) {
    Fields fields;
    PyObject *head = NULL, *middle = NULL, *trace = NULL, *correlation = NULL, *event = NULL, *error = NULL;
    PyObject *result = NULL;
    if (!look(self, dict, &fields)) return NULL;
    PyObject *message = fields.own[MSG], *args = fields.own[ARGS];
    double created = PyFloat_AS_DOUBLE(fields.own[CREATED]);
    Py_INCREF(message);
    Py_INCREF(args);
    int severity = find_site(self, record, &fields, &head, &middle);
    if (severity == -2) *nothing = 1;
    if (severity < 0) goto done;
    int has_args = PyTuple_CheckExact(args) ? PyTuple_GET_SIZE(args) != 0 : PyObject_IsTrue(args);
    if (has_args < 0) goto done;
    if (has_args) {
        PyObject *finished = PyUnicode_Format(message, args);
        if (finished == NULL || !PyUnicode_CheckExact(finished)) {
            Py_XDECREF(finished);
            goto done;
        }
        Py_SETREF(message, finished);
    }
    PyObject *lifted[LIFTED] = {NULL}; /* by identity only */
    if (fields.has_lifted) {
        if (!look(self, dict, &fields) || !find_lift(self, &fields, &trace, &correlation, &event)) goto done;
        memcpy(lifted, fields.lifted, sizeof lifted);
    }
    if (fields.has_error) {
        error = PyObject_CallOneArg(self->exception, record);
        if (error == NULL || !PyBytes_CheckExact(error)) goto done;
    }
    if (!find_trace(self, &trace, &correlation)) goto done;
    if (!know_second(self, created)) goto done;
    /* Code of others, and other threads, have run: from here on none does. */
    if (!look(self, dict, &fields) || memcmp(lifted, fields.lifted, sizeof lifted) != 0) goto done;
    if (fields.has_error != (error != NULL)) goto done;
    if (PyFloat_AS_DOUBLE(fields.own[CREATED]) != created || !is_at_hand(self, created)) goto done;
    result = line_of(self, &fields, message, head, middle, severity, trace, correlation, event, error);
done:
    Py_DECREF(message);
    Py_DECREF(args);
    Py_XDECREF(head);
    Py_XDECREF(middle);
    Py_XDECREF(trace);
    Py_XDECREF(correlation);
    Py_XDECREF(event);
    Py_XDECREF(error);
    return result;
}
