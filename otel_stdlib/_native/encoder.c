/* The type Encoder: what it is made of, and which way a record takes. */
#include "encode.h"

#include <structmember.h>

static PyObject *encoder_encode(Encoder *self, PyObject *record) {
    if ((PyObject *)Py_TYPE(record) == self->record_type) {
        PyObject *dict = PyObject_GenericGetDict(record, NULL);
        if (dict != NULL) {
            int nothing = 0;
            PyObject *line = encode_fast(self, record, dict, &nothing);
            Py_DECREF(dict);
            if (line != NULL || nothing) self->fast++;
            if (line != NULL) return line;
            if (nothing) Py_RETURN_NONE;
        }
        /* Whatever it was, Python meets it again, and knows what to do. What is no Exception ends the log call. */
        if (PyErr_Occurred()) {
            if (!PyErr_ExceptionMatches(PyExc_Exception)) return NULL;
            PyErr_Clear();
        }
    }
    self->slow++;
    return PyObject_CallOneArg(self->fallback, record);
}

static int encoder_init(Encoder *self, PyObject *args, PyObject *Py_UNUSED(keywords)) {
    PyObject *fallback, *site_of, *special, *take_special, *exception, *odd_extras, *lifted, *leavings;
    PyObject *second_prefix, *context, *otel_fragment, *record_type, *names;
    Py_ssize_t body_length, most_extras, short_bytes, fast_bytes, most_bytes, key_length;
    if (self->sites != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "it is made already");
        return -1;
    }
    if (!PyArg_ParseTuple(args, "OOO!OOOO!O!OOOOO!nnnnnn:Encoder", &fallback, &site_of, &PyFrozenSet_Type, &special,
                          &take_special, &exception, &odd_extras, &PyTuple_Type, &lifted, &PyFrozenSet_Type,
                          &leavings, &second_prefix, &context, &otel_fragment, &record_type, &PyTuple_Type, &names,
                          &body_length, &most_extras, &short_bytes, &fast_bytes, &most_bytes, &key_length))
        return -1;
    if (!PyContextVar_CheckExact(context) || PyTuple_GET_SIZE(lifted) != LIFTED || !are_known_fields(names)) {
        PyErr_SetString(PyExc_ValueError, "not the fields of a LogRecord that is known");
        return -1;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < count; i++) {
        self->fields[i] = PyTuple_GET_ITEM(names, i);
        Py_INCREF(self->fields[i]);
    }
    for (Py_ssize_t i = 0; i < LIFTED; i++) {
        self->lifted_names[i] = PyTuple_GET_ITEM(lifted, i);
        Py_INCREF(self->lifted_names[i]);
    }
    self->field_count = (int)count;
    self->has_task = count > TASKNAME;
    self->body_length = body_length, self->most_extras = most_extras, self->short_bytes = short_bytes;
    self->fast_bytes = fast_bytes, self->most_bytes = most_bytes, self->key_length = key_length;
    self->second = -2;
    PyObject *kept[] = {fallback, site_of,       special, take_special,  exception,  odd_extras,
                        leavings, second_prefix, context, otel_fragment, record_type};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) Py_INCREF(kept[i]);
    self->fallback = fallback, self->site_of = site_of, self->special = special, self->second_prefix = second_prefix;
    self->take_special = take_special, self->exception = exception, self->odd_extras = odd_extras;
    self->leavings = leavings;
    self->context = context, self->otel_fragment = otel_fragment, self->record_type = record_type;
    self->sites = PyMem_Calloc(SITES, sizeof(Site));
    if (self->sites == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static int encoder_traverse(Encoder *self, visitproc visit, void *arg) {
    Py_VISIT(self->fallback);
    Py_VISIT(self->site_of);
    Py_VISIT(self->special);
    Py_VISIT(self->take_special);
    Py_VISIT(self->exception);
    Py_VISIT(self->odd_extras);
    Py_VISIT(self->leavings);
    Py_VISIT(self->second_prefix);
    Py_VISIT(self->context);
    Py_VISIT(self->otel_fragment);
    Py_VISIT(self->record_type);
    return 0;
}

/* The names and call sites stay until it is freed: they hold no containers. */
static int encoder_clear(Encoder *self) {
    Py_CLEAR(self->fallback);
    Py_CLEAR(self->site_of);
    Py_CLEAR(self->special);
    Py_CLEAR(self->take_special);
    Py_CLEAR(self->exception);
    Py_CLEAR(self->odd_extras);
    Py_CLEAR(self->leavings);
    Py_CLEAR(self->second_prefix);
    Py_CLEAR(self->context);
    Py_CLEAR(self->otel_fragment);
    Py_CLEAR(self->record_type);
    return 0;
}

static void encoder_dealloc(Encoder *self) {
    PyObject_GC_UnTrack(self);
    encoder_clear(self);
    for (int i = 0; i < self->field_count; i++) Py_CLEAR(self->fields[i]);
    for (int i = 0; i < LIFTED; i++) Py_CLEAR(self->lifted_names[i]);
    forget_sites(self);
    forget_lifts(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef encoder_methods[] = {
    {"encode", (PyCFunction)encoder_encode, METH_O, PyDoc_STR("encode(record) -> as LineEncoder.encode")},
    {NULL, NULL, 0, NULL}};

static PyMemberDef encoder_members[] = {
    {"fast", T_ULONGLONG, offsetof(Encoder, fast), READONLY, "records that were encoded here"},
    {"slow", T_ULONGLONG, offsetof(Encoder, slow), READONLY, "records that went to Python"},
    {NULL, 0, 0, 0, NULL}};

PyTypeObject EncoderType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "otel_stdlib._native._core.Encoder",
    .tp_doc = PyDoc_STR("Encodes ordinary records, and hands all others on."),
    .tp_basicsize = sizeof(Encoder),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)encoder_init,
    .tp_dealloc = (destructor)encoder_dealloc,
    .tp_traverse = (traverseproc)encoder_traverse,
    .tp_clear = (inquiry)encoder_clear,
    .tp_methods = encoder_methods,
    .tp_members = encoder_members,
};
