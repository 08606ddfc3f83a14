/* An ordinary record as one open line of JSON. Specified by LineEncoder.encode; whatever is not ordinary goes there.

   Ordinary is: a LogRecord with its own fields first and in order, a text as message, and extras under names without a
   meaning or with that of a trace and an event. Code of others runs in six places only, the look-up of a new call site,
   the formatting of the message, the reading of new trace fields, the writing of extras that are not plain, the
   rendering of an exception or a stack, and opentelemetry's current span: what is needed over one of these is owned,
   and the record's fields are looked at again behind them. */
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
    /* With its braces, as LineEncoder.encode measures it. */
    Py_ssize_t length = to - start + 1;
    if (length > self->short_bytes) {
        if (length > self->fast_bytes) return NULL;
        for (int i = 0; i < fields->extras; i++)
            if (PyUnicode_GET_LENGTH(fields->keys[i]) > self->key_length) return NULL;
    }
    return to;
}

/* What a line is made of, owned; NULL for what the record does not have. `extras`: as Python wrote them. */
typedef struct {
    PyObject *message, *args, *head, *middle, *trace, *correlation, *event, *error, *extras;
    int severity;
} Parts;

static void let_go(Parts *parts) {
    Py_XDECREF(parts->message);
    Py_XDECREF(parts->args);
    Py_XDECREF(parts->head);
    Py_XDECREF(parts->middle);
    Py_XDECREF(parts->trace);
    Py_XDECREF(parts->correlation);
    Py_XDECREF(parts->event);
    Py_XDECREF(parts->error);
    Py_XDECREF(parts->extras);
}

/* A new tuple, or NULL, with no error set, where Python has to encode. */
static PyObject *line_of(Encoder *self, const Fields *fields, const Parts *parts) {
    Text body, task = {NULL, 0}, keys[MOST_EXTRAS], texts[MOST_EXTRAS];
    if (PyUnicode_GET_LENGTH(parts->message) > self->body_length || !text_of(parts->message, &body)) return NULL;
    if (self->has_task && fields->own[TASKNAME] != Py_None && !text_of(fields->own[TASKNAME], &task)) return NULL;
    size_t room = STAMP_ROOM + 16 + size_of(parts->head) + JSON_TEXT_ROOM(body.size) + size_of(parts->trace) +
                  size_of(parts->event) + size_of(parts->middle) + size_of(parts->correlation) +
                  JSON_TEXT_ROOM(task.size) + size_of(parts->error) + size_of(parts->extras) + 32;
    for (int i = 0; i < fields->extras && parts->extras == NULL; i++) {
        texts[i] = (Text){NULL, 0};
        if (!text_of(fields->keys[i], &keys[i])) return NULL;
        if (PyUnicode_CheckExact(fields->values[i]) && !text_of(fields->values[i], &texts[i])) return NULL;
        room += JSON_TEXT_ROOM(keys[i].size) + JSON_TEXT_ROOM(texts[i].size) + JSON_NUMBER_ROOM;
    }
    char on_stack[ON_STACK], *buffer = room <= ON_STACK ? on_stack : PyMem_Malloc(room);
    if (buffer == NULL) return NULL;
    long long time_ns;
    char *to = put_stamp(self, buffer, PyFloat_AS_DOUBLE(fields->own[CREATED]), &time_ns);
    to = put_bytes(to, parts->head);
    to = json_text(to, body.text, body.size);
    *to++ = ',';
    to = put_bytes(to, parts->trace);
    to = put_bytes(to, parts->event);
    to = put_bytes(to, parts->middle);
    to = put_bytes(to, parts->correlation);
    char *attributes = to;
    if (task.text != NULL) {
        to = put(to, "\"asyncio.task.name\":", 20);
        to = json_text(to, task.text, task.size);
        *to++ = ',';
    }
    to = put_bytes(to, parts->error);
    to = parts->extras == NULL ? put_extras(self, to, fields, keys, texts) : put_bytes(to, parts->extras);
    PyObject *result = NULL;
    if (to != NULL && to - attributes <= self->most_bytes)
        result = Py_BuildValue("(y#iL)", buffer, (Py_ssize_t)(to - buffer), parts->severity, time_ns);
    if (buffer != on_stack) PyMem_Free(buffer);
    return result;
}

/* Extras that are not all plain, by Python; 0 where it could not. */
static int write_odd(Encoder *self, PyObject *dict, Parts *parts) {
    Fields fields;
    PyObject *extras = PyDict_New();
    /* Looked at behind that, as a collection may have run finalizers. */
    int good = extras != NULL && look(self, dict, &fields);
    for (int i = 0; good && i < fields.extras; i++)
        good = PyDict_SetItem(extras, fields.keys[i], fields.values[i]) == 0;
    if (good) parts->extras = PyObject_CallOneArg(self->odd_extras, extras);
    Py_XDECREF(extras);
    return parts->extras != NULL && PyBytes_CheckExact(parts->extras);
}

/* The message with its arguments, in place of the one that is there; 0 where Python has to. */
static int finish_message(Parts *parts) {
    PyObject *args = parts->args;
    int has_args = PyTuple_CheckExact(args) ? PyTuple_GET_SIZE(args) != 0 : PyObject_IsTrue(args);
    if (has_args <= 0) return has_args == 0;
    PyObject *finished = PyUnicode_Format(parts->message, args);
    if (finished == NULL) return 0;
    Py_SETREF(parts->message, finished);
    return PyUnicode_CheckExact(finished);
}

PyObject *encode_fast(Encoder *self, PyObject *record, PyObject *dict, int *nothing) {
    Fields fields;
    Parts parts = {NULL};
    PyObject *result = NULL, *lifted[LIFTED] = {NULL}; /* by identity only */
    if (!look(self, dict, &fields)) return NULL;
    double created = PyFloat_AS_DOUBLE(fields.own[CREATED]);
    parts.message = fields.own[MSG], parts.args = fields.own[ARGS];
    Py_INCREF(parts.message), Py_INCREF(parts.args);
    parts.severity = find_site(self, record, &fields, &parts.head, &parts.middle);
    if (parts.severity == -2) *nothing = 1;
    if (parts.severity < 0 || !finish_message(&parts)) goto done;
    if (fields.has_lifted) {
        if (!look(self, dict, &fields) ||
            !find_lift(self, &fields, &parts.trace, &parts.correlation, &parts.event))
            goto done;
        memcpy(lifted, fields.lifted, sizeof lifted);
    }
    if (!know_second(self, created)) goto done;
    if (fields.has_odd && !write_odd(self, dict, &parts)) goto done;
    if (fields.has_error) {
        parts.error = PyObject_CallOneArg(self->exception, record);
        if (parts.error == NULL || !PyBytes_CheckExact(parts.error)) goto done;
    }
    if (!find_trace(self, &parts.trace, &parts.correlation)) goto done;
    /* Code of others may have let another thread, or a finalizer, encode a record of another second. */
    if (!know_second(self, created)) goto done;
    /* Code of others, and other threads, have run: from here on none does. */
    if (!look(self, dict, &fields) || memcmp(lifted, fields.lifted, sizeof lifted) != 0) goto done;
    if (fields.has_odd != (parts.extras != NULL) || fields.has_error != (parts.error != NULL)) goto done;
    if (PyFloat_AS_DOUBLE(fields.own[CREATED]) != created || !is_at_hand(self, created)) goto done;
    result = line_of(self, &fields, &parts);
done:
    let_go(&parts);
    return result;
}
