/* What is fixed for a call site. Python computes it; it is kept here, by all that it depends on. */
#include "encode.h"

static void forget(Site *site) {
    Py_CLEAR(site->pathname);
    Py_CLEAR(site->funcname);
    Py_CLEAR(site->levelname);
    Py_CLEAR(site->name);
    Py_CLEAR(site->threadname);
    Py_CLEAR(site->processname);
    Py_CLEAR(site->head);
    Py_CLEAR(site->middle);
}

/* The severity, with new references to the site's bytes; -1 where it is Python's to say, -2: nothing is to be logged. */
int find_site(Encoder *self, PyObject *record, const Fields *fields, PyObject **head, PyObject **middle) {
    long long lineno, levelno, process;
    PyObject *const *own = fields->own;
    if (!as_integer(own[LINENO], &lineno) || !as_integer(own[LEVELNO], &levelno) || !as_integer(own[PROCESS], &process) ||
        !PyLong_CheckExact(own[THREAD]))
        return -1;
    unsigned long long thread = PyLong_AsUnsignedLongLongMask(own[THREAD]);
    uint64_t hash = (uint64_t)(uintptr_t)own[PATHNAME] >> 4;
    hash = (hash ^ (uint64_t)lineno) * 0x9E3779B97F4A7C15u + (thread >> 12) + (uint64_t)levelno * 31;
    Site *site = &self->sites[(hash ^ hash >> 32) % SITES];
    if (!(site->pathname == own[PATHNAME] && site->lineno == lineno && site->levelno == levelno && site->thread == thread &&
          site->process == process && site->name == own[NAME] && site->funcname == own[FUNCNAME] &&
          site->levelname == own[LEVELNAME] && site->threadname == own[THREADNAME] &&
          site->processname == own[PROCESSNAME])) {
        Site made = {.pathname = own[PATHNAME], .funcname = own[FUNCNAME], .levelname = own[LEVELNAME], .name = own[NAME],
                     .threadname = own[THREADNAME], .processname = own[PROCESSNAME], .lineno = lineno,
                     .levelno = levelno, .process = process, .thread = thread};
        Py_INCREF(made.pathname), Py_INCREF(made.funcname), Py_INCREF(made.levelname), Py_INCREF(made.name);
        Py_INCREF(made.threadname), Py_INCREF(made.processname);
        PyObject *answer = PyObject_CallOneArg(self->site_of, record);
        PyObject *bytes = answer != NULL && PyTuple_Check(answer) && PyTuple_GET_SIZE(answer) == 2 ? PyTuple_GET_ITEM(answer, 0) : NULL;
        int result = -1;
        if (bytes != NULL && PyTuple_Check(bytes) && PyTuple_GET_SIZE(bytes) == 0) {
            result = -2;
        } else if (bytes != NULL && PyTuple_Check(bytes) && PyTuple_GET_SIZE(bytes) >= 3 &&
                   PyBytes_CheckExact(PyTuple_GET_ITEM(bytes, 0)) && PyBytes_CheckExact(PyTuple_GET_ITEM(bytes, 1))) {
            made.head = PyTuple_GET_ITEM(bytes, 0), made.middle = PyTuple_GET_ITEM(bytes, 1);
            Py_INCREF(made.head), Py_INCREF(made.middle);
            made.severity = result = (int)PyLong_AsLong(PyTuple_GET_ITEM(bytes, 2));
            Py_INCREF(made.head), Py_INCREF(made.middle);
            *head = made.head, *middle = made.middle;
            if (PyTuple_GET_ITEM(answer, 1) == Py_True) {
                Site old = *site;
                *site = made;
                made = old;
            }
        }
        forget(&made);
        Py_XDECREF(answer);
        return result;
    }
    Py_INCREF(site->head), Py_INCREF(site->middle);
    *head = site->head, *middle = site->middle;
    return site->severity;
}

void forget_sites(Encoder *self) {
    if (self->sites == NULL) return;
    for (int i = 0; i < SITES; i++) forget(&self->sites[i]);
    PyMem_Free(self->sites);
    self->sites = NULL;
}
