/* The quick look of redaction at an ordinary record. Specified by `_quick` of otel_stdlib/record/redacting.py: whatever
   is not known to be clean here goes there. No code of others runs before a record is handed on. */
#include "encode.h"

#define MOST_NEEDLES 128
#define NEEDLE_ROOM 16

typedef struct {
    PyObject_HEAD
    PyObject *plain;    /* encodes a clean record */
    PyObject *doubtful; /* the Python of the same purpose */
    PyObject *templates, *literals, *keys; /* memos of texts; True: nothing of it can be secret */
    PyObject *record_type;
    PyObject *fields[MOST_FIELDS];
    int field_count, needle_count;
    Py_ssize_t most;    /* characters of all texts together */
    long long shortest; /* integers of this size and more are looked at; 0: none are */
    unsigned char starts[256]; /* whether a needle begins so */
    unsigned char needles[MOST_NEEDLES][NEEDLE_ROOM]; /* in lower case; the first byte is the length */
} Gate;

static inline Py_UCS4 folded(Py_UCS4 c) { return c >= 'A' && c <= 'Z' ? c | 0x20 : c; }

/* Whether none of the needles is in a text. */
static int is_clean_text(const Gate *self, PyObject *text) {
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    int kind = (int)PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    for (Py_ssize_t i = 0; i < length; i++) {
        Py_UCS4 c = PyUnicode_READ(kind, data, i);
        if (c > 127 || !self->starts[c]) continue;
        for (int n = 0; n < self->needle_count; n++) {
            const unsigned char *needle = self->needles[n];
            Py_ssize_t size = needle[0], place = 0;
            if (size > length - i) continue;
            while (place < size && folded(PyUnicode_READ(kind, data, i + place)) == needle[1 + place]) place++;
            if (place == size) return 0;
        }
    }
    return 1;
}

static int is_known(PyObject *memo, PyObject *text) { return PyDict_GetItemWithError(memo, text) == Py_True; }

/* Whether a value holds nothing secret, as far as can be told here. */
static int is_clean_value(const Gate *self, PyObject *value, Py_ssize_t *total) {
    if (PyUnicode_CheckExact(value)) {
        *total += PyUnicode_GET_LENGTH(value) + 1;
        return *total <= self->most && is_clean_text(self, value);
    }
    if (value == Py_None || PyFloat_CheckExact(value) || PyBool_Check(value)) return 1;
    if (!PyLong_CheckExact(value)) return 0;
    long long number;
    return self->shortest == 0 || (as_integer(value, &number) && number < self->shortest && number > -self->shortest);
}

static int is_clean(const Gate *self, PyObject *dict) {
    Py_ssize_t place = 0, total = 0;
    PyObject *key, *value, *message = NULL, *args = NULL;
    int count = 0;
    while (PyDict_Next(dict, &place, &key, &value)) {
        if (count < self->field_count) {
            if (key != self->fields[count]) return 0;
            if (count == MSG) message = value;
            else if (count == ARGS) args = value;
            else if ((count == EXC_INFO || count == EXC_TEXT || count == STACK_INFO) && value != Py_None) return 0;
            count++;
            continue;
        }
        if (!PyUnicode_CheckExact(key) || !is_known(self->keys, key) || !is_clean_value(self, value, &total)) return 0;
    }
    if (count < self->field_count || !PyUnicode_CheckExact(message)) return 0;
    if (args == Py_None) return is_known(self->literals, message);
    if (!PyTuple_CheckExact(args)) return 0;
    Py_ssize_t size = PyTuple_GET_SIZE(args);
    if (size == 0) return is_known(self->literals, message);
    if (!is_known(self->templates, message)) return 0;
    for (Py_ssize_t i = 0; i < size; i++)
        if (!is_clean_value(self, PyTuple_GET_ITEM(args, i), &total)) return 0;
    return 1;
}

static PyObject *gate_encode(Gate *self, PyObject *record) {
    PyObject *next = self->doubtful;
    if ((PyObject *)Py_TYPE(record) == self->record_type) {
        PyObject *dict = PyObject_GenericGetDict(record, NULL);
        if (dict != NULL) {
            if (is_clean(self, dict)) next = self->plain;
            Py_DECREF(dict);
        }
        PyErr_Clear();
    }
    return PyObject_CallOneArg(next, record);
}

static int take_needles(Gate *self, PyObject *needles) {
    Py_ssize_t count = PyTuple_GET_SIZE(needles);
    if (count > MOST_NEEDLES) {
        PyErr_SetString(PyExc_ValueError, "too many needles");
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *needle = PyTuple_GET_ITEM(needles, i);
        Py_ssize_t size = PyBytes_CheckExact(needle) ? PyBytes_GET_SIZE(needle) : 0;
        if (size < 1 || size >= NEEDLE_ROOM) {
            PyErr_SetString(PyExc_ValueError, "a needle has 1 to 15 bytes");
            return -1;
        }
        self->needles[i][0] = (unsigned char)size;
        for (Py_ssize_t j = 0; j < size; j++)
            self->needles[i][1 + j] = (unsigned char)folded((unsigned char)PyBytes_AS_STRING(needle)[j]);
        unsigned char first = self->needles[i][1];
        if (first > 127) {
            PyErr_SetString(PyExc_ValueError, "a needle is ASCII");
            return -1;
        }
        self->starts[first] = 1;
        if (first >= 'a' && first <= 'z') self->starts[first & 0xDF] = 1;
    }
    self->needle_count = (int)count;
    return 0;
}

static int gate_init(Gate *self, PyObject *args, PyObject *Py_UNUSED(keywords)) {
    PyObject *plain, *doubtful, *templates, *literals, *keys, *record_type, *names, *needles;
    if (self->plain != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "it is made already");
        return -1;
    }
    if (!PyArg_ParseTuple(args, "OOO!O!O!OO!O!nL:Gate", &plain, &doubtful, &PyDict_Type, &templates, &PyDict_Type, &literals,
                          &PyDict_Type, &keys, &record_type, &PyTuple_Type, &names, &PyTuple_Type, &needles, &self->most,
                          &self->shortest))
        return -1;
    if (!are_known_fields(names)) {
        PyErr_SetString(PyExc_ValueError, "not the fields of a LogRecord that is known");
        return -1;
    }
    if (take_needles(self, needles) < 0) return -1;
    self->field_count = (int)PyTuple_GET_SIZE(names);
    for (int i = 0; i < self->field_count; i++) {
        self->fields[i] = PyTuple_GET_ITEM(names, i);
        Py_INCREF(self->fields[i]);
    }
    Py_INCREF(plain), Py_INCREF(doubtful), Py_INCREF(templates), Py_INCREF(literals), Py_INCREF(keys), Py_INCREF(record_type);
    self->plain = plain, self->doubtful = doubtful, self->templates = templates, self->literals = literals;
    self->keys = keys, self->record_type = record_type;
    return 0;
}

static int gate_traverse(Gate *self, visitproc visit, void *arg) {
    Py_VISIT(self->plain);
    Py_VISIT(self->doubtful);
    Py_VISIT(self->templates);
    Py_VISIT(self->literals);
    Py_VISIT(self->keys);
    Py_VISIT(self->record_type);
    return 0;
}

static int gate_clear(Gate *self) {
    Py_CLEAR(self->plain);
    Py_CLEAR(self->doubtful);
    Py_CLEAR(self->templates);
    Py_CLEAR(self->literals);
    Py_CLEAR(self->keys);
    Py_CLEAR(self->record_type);
    return 0;
}

static void gate_dealloc(Gate *self) {
    PyObject_GC_UnTrack(self);
    gate_clear(self);
    for (int i = 0; i < self->field_count; i++) Py_CLEAR(self->fields[i]);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef gate_methods[] = {
    {"encode", (PyCFunction)gate_encode, METH_O, PyDoc_STR("encode(record) -> as RedactingEncoder.encode")},
    {NULL, NULL, 0, NULL}};

PyTypeObject GateType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "otel_stdlib._native._core.Gate",
    .tp_doc = PyDoc_STR("Looks whether a record can hold a secret."),
    .tp_basicsize = sizeof(Gate),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)gate_init,
    .tp_dealloc = (destructor)gate_dealloc,
    .tp_traverse = (traverseproc)gate_traverse,
    .tp_clear = (inquiry)gate_clear,
    .tp_methods = gate_methods,
};
