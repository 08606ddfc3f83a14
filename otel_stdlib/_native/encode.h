/* What the files of the compiled encoder share. */
#ifndef OTEL_STDLIB_ENCODE_H
#define OTEL_STDLIB_ENCODE_H

#include "json.h"

#define MOST_FIELDS 32
#define MOST_EXTRAS 32
#define SITES 1024
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

typedef struct {
    PyObject_HEAD
    PyObject *fallback; /* LineEncoder.encode */
    PyObject *site_of;  /* site_of(record) -> (site, whether it may be kept) */
    PyObject *special;  /* names with a meaning: a frozenset */
    PyObject *second_prefix, *context, *otel_fragment, *record_type;
    PyObject *fields[MOST_FIELDS];
    int field_count, has_task;
    Py_ssize_t body_length, most_extras, short_bytes, fast_bytes, most_bytes, key_length;
    long long second; /* whose prefix `stamp` is */
    size_t stamp_size;
    char stamp[STAMP_ROOM];
    unsigned long long fast, slow;
    Site *sites;
} Encoder;

typedef struct {
    PyObject *own[MOST_FIELDS];
    PyObject *keys[MOST_EXTRAS], *values[MOST_EXTRAS];
    int extras;
} Fields;

/* fields.c */
int are_known_fields(PyObject *names);
int look(const Encoder *self, PyObject *dict, Fields *found);

/* sites.c */
int find_site(Encoder *self, PyObject *record, const Fields *fields, PyObject **head, PyObject **middle);
void forget_sites(Encoder *self);

/* moment.c */
int moment_prepare(void);
int know_second(Encoder *self, double created);
int is_at_hand(const Encoder *self, double created);
char *put_stamp(const Encoder *self, char *to, double created, long long *time_ns);
int find_trace(const Encoder *self, PyObject **trace, PyObject **correlation);

/* encode.c */
PyObject *encode_fast(Encoder *self, PyObject *record, PyObject *dict, int *nothing);

#endif
