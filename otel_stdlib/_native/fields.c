/* What a LogRecord's dictionary holds, where the record is an ordinary one. */
#include "encode.h"

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

/* Borrowed references to what the dictionary has; 0 where it is not that of an ordinary record. */
int look(const Encoder *self, PyObject *dict, Fields *found) {
    Py_ssize_t place = 0;
    PyObject *key, *value;
    int count = 0;
    found->extras = 0;
    while (PyDict_Next(dict, &place, &key, &value)) {
        if (count < self->field_count) {
            if (key != self->fields[count]) return 0;
            found->own[count++] = value;
            continue;
        }
        if (found->extras == MOST_EXTRAS || !PyUnicode_CheckExact(key)) return 0;
        PyTypeObject *type = Py_TYPE(value);
        if (type != &PyUnicode_Type && type != &PyLong_Type && type != &PyFloat_Type && type != &PyBool_Type && value != Py_None)
            return 0;
        int special = PySet_Contains(self->special, key);
        if (special) {
            PyErr_Clear();
            return 0;
        }
        found->keys[found->extras] = key;
        found->values[found->extras++] = value;
    }
    if (count < self->field_count || found->extras > self->most_extras) return 0;
    /* Nothing that an exception or a stack could be: None and False, or an empty text. */
    static const int empty[] = {EXC_INFO, EXC_TEXT, STACK_INFO};
    for (int i = 0; i < 3; i++) {
        value = found->own[empty[i]];
        if (value != Py_None && value != Py_False) return 0;
    }
    if (self->has_task && found->own[TASKNAME] != Py_None && !PyUnicode_CheckExact(found->own[TASKNAME])) return 0;
    return PyUnicode_CheckExact(found->own[MSG]) && PyFloat_CheckExact(found->own[CREATED]);
}
