/* Attributes that mean more than an attribute: what TraceContextFilter and callers put on a record. Python reads them
   (LineEncoder.take_special); what it found is kept by the identity of the values, which within a span are the same. */
#include "encode.h"

static void release(Lift *lift) {
    for (int i = 0; i < LIFTED; i++) Py_CLEAR(lift->values[i]);
    Py_CLEAR(lift->trace);
    Py_CLEAR(lift->correlation);
    Py_CLEAR(lift->event);
}

void forget_lifts(Encoder *self) {
    for (int i = 0; i < LIFTS; i++) release(&self->lifts[i]);
}

/* Bytes, or None for what the record does not say, as a new reference that is NULL for None; 0 where it is neither. */
static int taken(PyObject *from, PyObject **to) {
    *to = NULL;
    if (from == Py_None) return 1;
    if (!PyBytes_CheckExact(from)) return 0;
    Py_INCREF(from);
    *to = from;
    return 1;
}

static int ask(const Encoder *self, PyObject *const *values, Lift *made) {
    for (int i = 0; i < LIFTED; i++) {
        Py_XINCREF(values[i]);
        made->values[i] = values[i];
    }
    PyObject *dict = PyDict_New();
    if (dict == NULL) return 0;
    for (int i = 0; i < LIFTED; i++) {
        if (made->values[i] == NULL || PyDict_SetItem(dict, self->lifted_names[i], made->values[i]) == 0) continue;
        Py_DECREF(dict);
        return 0;
    }
    PyObject *found = PyObject_CallOneArg(self->take_special, dict);
    Py_DECREF(dict);
    int good = found != NULL && PyTuple_Check(found) && PyTuple_GET_SIZE(found) == 3 &&
               taken(PyTuple_GET_ITEM(found, 0), &made->trace) && taken(PyTuple_GET_ITEM(found, 1), &made->correlation) &&
               taken(PyTuple_GET_ITEM(found, 2), &made->event) && made->event != NULL;
    Py_XDECREF(found);
    return good;
}

/* What a record's lifted values say: new references, NULL for what they say nothing of; 0 where Python has to look. */
int find_lift(Encoder *self, const Fields *fields, PyObject **trace, PyObject **correlation, PyObject **event) {
    uint64_t hash = 0;
    for (int i = 0; i < LIFTED; i++) hash = (hash ^ (uint64_t)(uintptr_t)fields->lifted[i]) * 0x9E3779B97F4A7C15u;
    Lift *lift = &self->lifts[(hash >> 40) % LIFTS];
    if (lift->event == NULL || memcmp(lift->values, fields->lifted, sizeof lift->values) != 0) {
        Lift made = {{NULL}, NULL, NULL, NULL};
        if (!ask(self, fields->lifted, &made)) {
            release(&made);
            return 0;
        }
        Lift old = *lift;
        *lift = made;
        release(&old);
    }
    Py_XINCREF(lift->trace), Py_XINCREF(lift->correlation), Py_INCREF(lift->event);
    *trace = lift->trace, *correlation = lift->correlation, *event = lift->event;
    return 1;
}
