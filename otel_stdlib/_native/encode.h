/* What the files of the compiled encoder share. */
#ifndef OTEL_STDLIB_ENCODE_H
#define OTEL_STDLIB_ENCODE_H

#include "json.h"

#define MOST_FIELDS 32
#define MOST_EXTRAS 32
#define SITES 1024
#define LIFTED 5
#define LIFTS 64
#define STAMP_ROOM 64

/* The places of a LogRecord's own fields, the same from CPython 3.10 to 3.15; the names are in fields.c. */
enum {
    NAME, MSG, ARGS, LEVELNAME, LEVELNO, PATHNAME, FILENAME, MODULE, EXC_INFO, EXC_TEXT, STACK_INFO, LINENO, FUNCNAME,
    CREATED, MSECS, RELATIVE, THREAD, THREADNAME, PROCESSNAME, PROCESS, TASKNAME, ALL_FIELDS
};

/* What is fixed for a call site, and what it depends on: texts by identity (they are owned, so no other text can have
   their place), numbers by value. */
typedef struct {
    PyObject *pathname, *funcname, *levelname, *name, *threadname, *processname;
    long long lineno, levelno, process;
    unsigned long long thread;
    PyObject *head, *middle;
    int severity;
} Site;

/* What attributes with a meaning say, by identity (they are owned); NULL: a name that the record does not have. */
typedef struct {
    PyObject *values[LIFTED];
    PyObject *trace, *correlation; /* NULL: they say nothing of it */
    PyObject *event;               /* NULL: the place is free */
} Lift;

typedef struct {
    PyObject_HEAD
    PyObject *fallback; /* LineEncoder.encode */
    PyObject *site_of;  /* site_of(record) -> (site, whether it may be kept) */
    PyObject *special;  /* names with a meaning: a frozenset */
    PyObject *take_special; /* LineEncoder.take_special */
    PyObject *exception;    /* GeneralEncoder.exception */
    PyObject *odd_extras;   /* odd_extras(extras) -> members */
    PyObject *lifted_names[LIFTED], *leavings; /* names that are lifted; a frozenset of those that formatters leave behind */
    PyObject *second_prefix, *context, *otel_fragment, *record_type;
    PyObject *fields[MOST_FIELDS];
    int field_count, has_task;
    Py_ssize_t body_length, most_extras, short_bytes, fast_bytes, most_bytes, key_length;
    long long second; /* whose prefix `stamp` is */
    size_t stamp_size;
    char stamp[STAMP_ROOM];
    unsigned long long fast, slow;
    Site *sites;
    Lift lifts[LIFTS];
} Encoder;

typedef struct {
    PyObject *own[MOST_FIELDS];
    PyObject *keys[MOST_EXTRAS], *values[MOST_EXTRAS];
    int extras;
    PyObject *lifted[LIFTED]; /* NULL: it is not there */
    int has_lifted;
    int has_error; /* an exception or a stack */
    int has_odd;   /* an extra that Python writes */
} Fields;

/* fields.c */
int are_known_fields(PyObject *names);
int look(const Encoder *self, PyObject *dict, Fields *found);

/* sites.c */
int find_site(Encoder *self, PyObject *record, const Fields *fields, PyObject **head, PyObject **middle);
void forget_sites(Encoder *self);

/* lifted.c */
int find_lift(Encoder *self, const Fields *fields, PyObject **trace, PyObject **correlation, PyObject **event);
void forget_lifts(Encoder *self);

/* moment.c */
int moment_prepare(void);
int know_second(Encoder *self, double created);
int is_at_hand(const Encoder *self, double created);
char *put_stamp(const Encoder *self, char *to, double created, long long *time_ns);
int find_trace(const Encoder *self, PyObject **trace, PyObject **correlation);

/* encode.c */
PyObject *encode_fast(Encoder *self, PyObject *record, PyObject *dict, int *nothing);

#endif
