/* When a record was made, and in which trace. */
#include "encode.h"

static PyObject *s_otel_trace, *s_fragment, *s_attribute_fragment;

int moment_prepare(void) {
    s_otel_trace = PyUnicode_InternFromString("opentelemetry.trace");
    s_fragment = PyUnicode_InternFromString("fragment");
    s_attribute_fragment = PyUnicode_InternFromString("attribute_fragment");
    return s_otel_trace != NULL && s_fragment != NULL && s_attribute_fragment != NULL ? 0 : -1;
}

static int is_known(const Encoder *self, double created) {
    double offset = created - (double)self->second;
    return offset >= 0.0 && offset < 1.0 - 0.0000005;
}

/* Half a microsecond before its end, a second is the next one. */
static int rounds_up(const Encoder *self, double created) {
    return created < (double)self->second && (long long)(created + 0.0000005) == self->second;
}

int is_at_hand(const Encoder *self, double created) {
    return created >= 1.0 && (is_known(self, created) || rounds_up(self, created));
}

/* Makes sure that the second of `created` is the one at hand; 0 where Python has to look. */
int know_second(Encoder *self, double created) {
    if (is_at_hand(self, created)) return 1;
    if (!(created >= 1.0 && created < 9223372035.0)) return 0; /* 64 bits of nanoseconds end in 2262 */
    long long second = (long long)(created + 0.0000005);
    PyObject *prefix = PyObject_CallFunction(self->second_prefix, "L", second);
    int good = prefix != NULL && PyBytes_CheckExact(prefix) && PyBytes_GET_SIZE(prefix) <= STAMP_ROOM;
    if (good) {
        self->stamp_size = (size_t)PyBytes_GET_SIZE(prefix);
        memcpy(self->stamp, PyBytes_AS_STRING(prefix), self->stamp_size);
        self->second = second;
    }
    Py_XDECREF(prefix);
    return good;
}

/* The timestamp's member. The time in nanoseconds goes to `time_ns`. */
char *put_stamp(const Encoder *self, char *to, double created, long long *time_ns) {
    double offset = created - (double)self->second;
    if (offset < 0.0) offset = 0.0; /* rounded up to the second that it ends with */
    long long micros = (long long)(offset * 1e6 + 0.5);
    *time_ns = self->second * 1000000000LL + micros * 1000;
    memcpy(to, self->stamp, self->stamp_size);
    to += self->stamp_size;
    for (int digit = 5; digit >= 0; digit--, micros /= 10) to[digit] = (char)('0' + micros % 10);
    memcpy(to + 6, "Z\",", 3);
    return to + 9;
}

/* New references, or NULL where there is nothing, in place of those that are NULL; 0 where Python has to look. */
int find_trace(const Encoder *self, PyObject **trace, PyObject **correlation) {
    if (*trace != NULL && *correlation != NULL) return 1;
    PyObject *context = NULL;
    if (PyContextVar_Get(self->context, NULL, &context) < 0) return 0;
    int known = 1;
    if (*trace == NULL && PyDict_GetItemWithError(PyImport_GetModuleDict(), s_otel_trace) != NULL) {
        *trace = PyObject_CallNoArgs(self->otel_fragment);
        if (*trace == Py_None) Py_CLEAR(*trace);
        else if (*trace == NULL || !PyBytes_CheckExact(*trace)) known = 0;
    }
    if (known && context != NULL && context != Py_None) {
        if (*trace == NULL) *trace = PyObject_GetAttr(context, s_fragment);
        if (*correlation == NULL) *correlation = PyObject_GetAttr(context, s_attribute_fragment);
        known = *trace != NULL && PyBytes_CheckExact(*trace) && *correlation != NULL && PyBytes_CheckExact(*correlation);
    }
    Py_XDECREF(context);
    if (!known || PyErr_Occurred()) {
        Py_CLEAR(*trace);
        Py_CLEAR(*correlation);
        return 0;
    }
    return 1;
}
