/* A record factory: logging.LogRecord as the standard library makes it. Specified by fast_log_record in
   otel_stdlib/record/factory.py, which makes the first record of each call site and thread, and all that are odd.

   The fields of that first record are kept as a template; a later record is a copy with what varies put in. What may
   have changed since (a level's name, the thread's, the process, the switches of the logging module) is compared. */
#include "native.h"

#include <structmember.h>

#define TEMPLATES 512
#define ARGUMENTS 9
enum { A_NAME, A_LEVEL, A_PATHNAME, A_LINENO, A_MSG, A_ARGS, A_EXC_INFO, A_FUNC, A_SINFO };

typedef struct {
    PyObject *pathname, *name, *func, *fields;
    long long lineno, level;
    unsigned long thread;
} Template;

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *python;       /* fast_log_record in Python */
    PyObject *clocks;       /* the dictionary in which "time" is the module of that name, or what stands for it */
    PyObject *start;        /* logging's start: seconds, from Python 3.13 on nanoseconds */
    PyObject *process_name; /* process_name() */
    PyObject *task_name;    /* task_name(), None before Python 3.12 */
    PyObject *logging, *threading, *os; /* the modules' dictionaries */
    PyObject *record_type, *get_ident;
    Template *templates;
} Factory;

#define NAMES(X)                                                                                                       \
    X(msg) X(args) X(exc_info) X(stack_info) X(created) X(msecs) X(relativeCreated) X(levelname) X(threadName)         \
    X(processName) X(process) X(taskName) X(lineno) X(logThreads) X(logMultiprocessing) X(logProcesses)                \
    X(time) X(time_ns) X(logAsyncioTasks) X(_levelToName) X(_active) X(get_ident) X(getpid) X(name) X(multiprocessing) X(__dict__)
#define DECLARE(name) static PyObject *k_##name;
NAMES(DECLARE)

/* Arguments in which no mapping has to be looked for: none, or one of a plain type, or several. */
static int are_plain(PyObject *args) {
    if (args == Py_None) return 1;
    if (!PyTuple_CheckExact(args)) return 0;
    if (PyTuple_GET_SIZE(args) != 1) return 1;
    PyObject *only = PyTuple_GET_ITEM(args, 0);
    return PyUnicode_CheckExact(only) || PyLong_CheckExact(only) || PyFloat_CheckExact(only) || PyBool_Check(only) ||
           only == Py_None;
}

static int is_on(PyObject *switches, PyObject *name) { return PyDict_GetItemWithError(switches, name) == Py_True; }

static void keep(Template *place, PyObject *const *a, long long lineno, long long level, unsigned long thread,
                 PyObject *record) {
    PyObject *dict = PyObject_GenericGetDict(record, NULL);
    if (dict == NULL) return;
    /* Made anew: a table of its own, with room for extras, that a copy takes over as it is. */
    PyObject *fields = PyDict_New();
    int good = fields != NULL && PyDict_Update(fields, dict) == 0 && PyDict_SetItem(fields, k_msg, Py_None) == 0 &&
               PyDict_SetItem(fields, k_args, Py_None) == 0 && PyDict_SetItem(fields, k_exc_info, Py_None) == 0 &&
               PyDict_SetItem(fields, k_stack_info, Py_None) == 0;
    Py_DECREF(dict);
    if (!good) {
        Py_XDECREF(fields);
        return;
    }
    Py_INCREF(a[A_PATHNAME]), Py_INCREF(a[A_NAME]), Py_INCREF(a[A_FUNC]);
    Template old = *place;
    *place = (Template){a[A_PATHNAME], a[A_NAME], a[A_FUNC], fields, lineno, level, thread};
    Py_XDECREF(old.pathname), Py_XDECREF(old.name), Py_XDECREF(old.func), Py_XDECREF(old.fields);
}

/* Whether field `name` is `value` now. The reference to `value` is taken over, NULL is an error. */
static int put(PyObject *fields, PyObject *name, PyObject *value) {
    if (value == NULL) return 0;
    int good = PyDict_GetItemWithError(fields, name) == value || PyDict_SetItem(fields, name, value) == 0;
    Py_DECREF(value);
    return good;
}

static PyObject *owned(PyObject *borrowed) {
    Py_XINCREF(borrowed);
    return borrowed;
}

/* created, msecs and relativeCreated, as the Python of this version computes them. */
static int put_times(const Factory *self, PyObject *fields) {
    double created, msecs, relative;
    PyObject *module = PyDict_GetItemWithError(self->clocks, k_time);
    if (module == NULL) return 0;
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *now = PyObject_CallMethodNoArgs(module, k_time_ns);
    long long nanoseconds, start;
    int good = now != NULL && as_integer(now, &nanoseconds) && nanoseconds >= 0 && as_integer(self->start, &start);
    Py_XDECREF(now);
    if (!good) return 0;
    created = (double)nanoseconds / 1e9;
    msecs = (double)(nanoseconds % 1000000000 / 1000000);
    if (msecs == 999.0 && (long long)created != nanoseconds / 1000000000) msecs = 0.0;
    relative = (double)(nanoseconds - start) / 1e6;
#else
    PyObject *now = PyObject_CallMethodNoArgs(module, k_time);
    int good = now != NULL && PyFloat_CheckExact(now) && PyFloat_CheckExact(self->start);
    if (good) {
        created = PyFloat_AS_DOUBLE(now);
        good = created >= 0.0 && created < 1e15;
    }
    Py_XDECREF(now);
    if (!good) return 0;
    msecs = (double)(long long)((created - (double)(long long)created) * 1000);
    relative = (created - PyFloat_AS_DOUBLE(self->start)) * 1000;
#endif
    const double values[] = {created, msecs, relative};
    PyObject *const names[] = {k_created, k_msecs, k_relativeCreated};
    for (int i = 0; i < 3; i++) {
        PyObject *value = PyFloat_FromDouble(values[i]);
        good = value != NULL && PyDict_SetItem(fields, names[i], value) == 0;
        Py_XDECREF(value);
        if (!good) return 0;
    }
    return 1;
}

/* What varies from record to record, and what may have changed; 0 where Python has to. */
static int fill(const Factory *self, PyObject *fields, PyObject *const *a, unsigned long ident) {
    if (!put_times(self, fields) || PyDict_SetItem(fields, k_msg, a[A_MSG]) < 0 || PyDict_SetItem(fields, k_args, a[A_ARGS]) < 0) return 0;
    if (a[A_EXC_INFO] != Py_None && PyDict_SetItem(fields, k_exc_info, a[A_EXC_INFO]) < 0) return 0;
    if (a[A_SINFO] != Py_None && PyDict_SetItem(fields, k_stack_info, a[A_SINFO]) < 0) return 0;

    PyObject *levels = PyDict_GetItemWithError(self->logging, k__levelToName);
    if (levels == NULL || !PyDict_CheckExact(levels)) return 0;
    if (!put(fields, k_levelname, owned(PyDict_GetItemWithError(levels, a[A_LEVEL])))) return 0;

    PyObject *active = PyDict_GetItemWithError(self->threading, k__active), *number = PyLong_FromUnsignedLong(ident);
    PyObject *thread = active != NULL && PyDict_CheckExact(active) && number != NULL ? PyDict_GetItemWithError(active, number) : NULL;
    Py_XDECREF(number);
    if (thread == NULL) return 0;
    Py_INCREF(thread);
    int good = put(fields, k_threadName, PyObject_GetAttr(thread, k_name));
    Py_DECREF(thread);
    if (!good) return 0;

    if (PyDict_GetItemWithError(PyImport_GetModuleDict(), k_multiprocessing) != NULL &&
        !put(fields, k_processName, PyObject_CallNoArgs(self->process_name)))
        return 0;
    PyObject *getpid = PyDict_GetItemWithError(self->os, k_getpid);
    if (getpid == NULL) return 0;
    Py_INCREF(getpid);
    PyObject *process = PyObject_CallNoArgs(getpid);
    Py_DECREF(getpid);
    if (!put(fields, k_process, process)) return 0;
    return self->task_name == Py_None || put(fields, k_taskName, PyObject_CallNoArgs(self->task_name));
}

static PyObject *made_of(PyTypeObject *type, PyObject *fields) {
    PyObject *record = type->tp_alloc(type, 0);
    /* Not PyObject_GenericSetDict: from Python 3.13 on an object has its attributes outside its dictionary at first, and
       keeps them there, empty, where it is given one by that function. */
    if (record != NULL && PyObject_SetAttr(record, k___dict__, fields) < 0) Py_CLEAR(record);
    return record;
}

static PyObject *factory_call(PyObject *callable, PyObject *const *a, size_t flags, PyObject *keywords) {
    Factory *self = (Factory *)callable;
    Py_ssize_t count = PyVectorcall_NARGS(flags);
    long long level, lineno;
    if (count != ARGUMENTS || (keywords != NULL && PyTuple_GET_SIZE(keywords)) || !as_integer(a[A_LEVEL], &level) ||
        !as_integer(a[A_LINENO], &lineno) || !are_plain(a[A_ARGS]) || !is_on(self->logging, k_logThreads) ||
        !is_on(self->logging, k_logMultiprocessing) || !is_on(self->logging, k_logProcesses) ||
        (self->task_name != Py_None && !is_on(self->logging, k_logAsyncioTasks)) ||
        PyDict_GetItemWithError(self->threading, k_get_ident) != self->get_ident) /* greenlets have their own */
        return PyObject_Vectorcall(self->python, a, flags, keywords);

    unsigned long ident = PyThread_get_thread_ident();
    uint64_t hash = ((uint64_t)(uintptr_t)a[A_PATHNAME] >> 4 ^ (uint64_t)lineno) * 0x9E3779B97F4A7C15u + (ident >> 12) +
                    (uint64_t)level * 31;
    Template *place = &self->templates[(hash ^ hash >> 32) % TEMPLATES];
    if (!(place->fields != NULL && place->pathname == a[A_PATHNAME] && place->lineno == lineno && place->level == level &&
          place->name == a[A_NAME] && place->func == a[A_FUNC] && place->thread == ident)) {
        PyObject *record = PyObject_Vectorcall(self->python, a, flags, keywords);
        if (record != NULL && (PyObject *)Py_TYPE(record) == self->record_type) keep(place, a, lineno, level, ident, record);
        if (record != NULL && PyErr_Occurred()) PyErr_Clear();
        return record;
    }
    PyObject *fields = PyDict_Copy(place->fields), *record = NULL;
    /* The line number as the caller has it: equal, but perhaps another object. */
    if (fields != NULL && PyDict_SetItem(fields, k_lineno, a[A_LINENO]) == 0 && fill(self, fields, a, ident))
        record = made_of((PyTypeObject *)self->record_type, fields);
    Py_XDECREF(fields);
    if (record != NULL) return record;
    if (PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_Exception)) return NULL;
        PyErr_Clear();
    }
    return PyObject_Vectorcall(self->python, a, flags, keywords);
}

static int factory_init(Factory *self, PyObject *args, PyObject *Py_UNUSED(keywords)) {
    PyObject *python, *clocks, *start, *process_name, *task_name, *logging, *threading, *os, *record_type, *get_ident;
    if (self->templates != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "it is made already");
        return -1;
    }
    if (!PyArg_ParseTuple(args, "OO!OOOO!O!O!O!O:Factory", &python, &PyDict_Type, &clocks, &start, &process_name, &task_name, &PyDict_Type, &logging,
                          &PyDict_Type, &threading, &PyDict_Type, &os, &PyType_Type, &record_type, &get_ident))
        return -1;
    self->templates = PyMem_Calloc(TEMPLATES, sizeof(Template));
    if (self->templates == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    PyObject *kept[] = {python, clocks, start, process_name, task_name, logging, threading, os, record_type, get_ident};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) Py_INCREF(kept[i]);
    self->python = python, self->clocks = clocks, self->start = start, self->process_name = process_name, self->task_name = task_name;
    self->logging = logging, self->threading = threading, self->os = os;
    self->record_type = record_type, self->get_ident = get_ident;
    self->vectorcall = factory_call;
    return 0;
}

static int factory_traverse(Factory *self, visitproc visit, void *arg) {
    Py_VISIT(self->python);
    Py_VISIT(self->clocks);
    Py_VISIT(self->start);
    Py_VISIT(self->process_name);
    Py_VISIT(self->task_name);
    Py_VISIT(self->logging);
    Py_VISIT(self->threading);
    Py_VISIT(self->os);
    Py_VISIT(self->record_type);
    Py_VISIT(self->get_ident);
    for (int i = 0; self->templates != NULL && i < TEMPLATES; i++) Py_VISIT(self->templates[i].fields);
    return 0;
}

static int factory_clear(Factory *self) {
    /* Called no more from here on: only what cannot be reached is cleared. */
    Py_CLEAR(self->python);
    Py_CLEAR(self->clocks);
    Py_CLEAR(self->start);
    Py_CLEAR(self->process_name);
    Py_CLEAR(self->task_name);
    Py_CLEAR(self->logging);
    Py_CLEAR(self->threading);
    Py_CLEAR(self->os);
    Py_CLEAR(self->record_type);
    Py_CLEAR(self->get_ident);
    for (int i = 0; self->templates != NULL && i < TEMPLATES; i++) {
        Template *each = &self->templates[i];
        Py_CLEAR(each->pathname);
        Py_CLEAR(each->name);
        Py_CLEAR(each->func);
        Py_CLEAR(each->fields);
    }
    return 0;
}

static void factory_dealloc(Factory *self) {
    PyObject_GC_UnTrack(self);
    factory_clear(self);
    PyMem_Free(self->templates);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

PyTypeObject FactoryType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "otel_stdlib._native._core.Factory",
    .tp_doc = PyDoc_STR("A record factory: see otel_stdlib.record.factory."),
    .tp_basicsize = sizeof(Factory),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)factory_init,
    .tp_dealloc = (destructor)factory_dealloc,
    .tp_traverse = (traverseproc)factory_traverse,
    .tp_clear = (inquiry)factory_clear,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(Factory, vectorcall),
};

#define INTERN(name)                                                                                                   \
    if ((k_##name = PyUnicode_InternFromString(#name)) == NULL) return -1;

int factory_prepare(void) {
    NAMES(INTERN)
    return 0;
}
