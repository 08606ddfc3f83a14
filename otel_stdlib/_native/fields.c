/* What a LogRecord's dictionary holds, where the record is an ordinary one. */
#include "encode.h"

#include <math.h>

static const char *const field_names[] = {
    "name",     "msg",    "args",       "levelname", "levelno", "pathname",        "filename", "module",     "exc_info",
    "exc_text", "stack_info", "lineno", "funcName",  "created", "msecs", "relativeCreated", "thread", "threadName",
    "processName", "process", "taskName"};

int are_known_fields(PyObject *names) {
    Py_ssize_t count = PyTuple_GET_SIZE(names);
    if (count < TASKNAME || count > ALL_FIELDS) return 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        if (!PyUnicode_CheckExact(name) || PyUnicode_CompareWithASCIIString(name, field_names[i]) != 0) return 0;
    }
    return 1;
}

/* Whether a special name is one that is dealt with here. */
static int lift_or_leave(const Encoder *self, PyObject *key, PyObject *value, Fields *found) {
    for (int i = 0; i < LIFTED; i++)
        if (key == self->lifted_names[i] || PyUnicode_Compare(key, self->lifted_names[i]) == 0) {
            found->lifted[i] = value;
            found->has_lifted = 1;
            return 1;
        }
    int left = PySet_Contains(self->leavings, key);
    if (left < 0) PyErr_Clear();
    return left == 1;
}

/* Whether Python writes a value: what is not plain, and numbers that not every reader or release of orjson has alike. */
static int is_odd(PyObject *value) {
    long long number;
    if (PyUnicode_CheckExact(value) || PyBool_Check(value) || value == Py_None) return 0;
    if (PyFloat_CheckExact(value)) return !(fabs(PyFloat_AS_DOUBLE(value)) < JSON_FLOAT_END);
    return !as_integer(value, &number) || number > JSON_INTEGER_LAST || number < -JSON_INTEGER_LAST;
}

/* Whether there is an exception or a stack, as Python would judge; -1 for values that neither has. */
static int has_error(const Fields *found) {
    static const int texts[] = {EXC_TEXT, STACK_INFO};
    PyObject *value = found->own[EXC_INFO];
    int has = PyTuple_CheckExact(value) && PyTuple_GET_SIZE(value) > 0;
    if (!has && value != Py_None && value != Py_False) return -1;
    for (int i = 0; i < 2; i++) {
        value = found->own[texts[i]];
        if (PyUnicode_CheckExact(value)) has |= PyUnicode_GET_LENGTH(value) > 0;
        else if (value != Py_None && value != Py_False) return -1;
    }
    return has;
}

/* Borrowed references to what the dictionary has; 0 where it is not that of an ordinary record. */
int look(const Encoder *self, PyObject *dict, Fields *found) {
    Py_ssize_t place = 0;
    PyObject *key, *value;
    int count = 0, special = 0;
    found->extras = found->has_lifted = found->has_odd = 0;
    memset(found->lifted, 0, sizeof found->lifted);
    while (PyDict_Next(dict, &place, &key, &value)) {
        if (count < self->field_count) {
            if (key != self->fields[count]) return 0;
            found->own[count++] = value;
            continue;
        }
        if (found->extras == MOST_EXTRAS || !PyUnicode_CheckExact(key)) return 0;
        int is_special = PySet_Contains(self->special, key);
        if (is_special < 0) {
            PyErr_Clear();
            return 0;
        }
        if (is_special) {
            if (is_odd(value) || !lift_or_leave(self, key, value, found)) return 0;
            special++;
            continue;
        }
        found->has_odd |= is_odd(value);
        found->keys[found->extras] = key;
        found->values[found->extras++] = value;
    }
    if (count < self->field_count || found->extras + special > self->most_extras) return 0;
    found->has_error = has_error(found);
    if (found->has_error < 0) return 0;
    if (self->has_task && found->own[TASKNAME] != Py_None && !PyUnicode_CheckExact(found->own[TASKNAME])) return 0;
    return PyUnicode_CheckExact(found->own[MSG]) && PyFloat_CheckExact(found->own[CREATED]);
}
