/* The extension module otel_stdlib._native._core. */
#include "encode.h"

static PyObject *crc32(PyObject *Py_UNUSED(module), PyObject *args) {
    Py_buffer data;
    unsigned int seed = 0;
    if (!PyArg_ParseTuple(args, "y*|I:crc32", &data, &seed)) return NULL;
    uint32_t sum;
    PyThreadState *others = data.len > WORTH_RELEASING ? PyEval_SaveThread() : NULL;
    sum = crc32_of(data.buf, (size_t)data.len, seed);
    if (others != NULL) PyEval_RestoreThread(others);
    PyBuffer_Release(&data);
    return PyLong_FromUnsignedLong(sum);
}

static PyObject *use(PyObject *Py_UNUSED(module), PyObject *frame) {
    if (!PyType_Check(frame) || !PyType_IsSubtype((PyTypeObject *)frame, &PyTuple_Type)) {
        PyErr_SetString(PyExc_TypeError, "a class of tuples is expected");
        return NULL;
    }
    Py_INCREF(frame);
    Py_XSETREF(frame_class, frame);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"crc32", crc32, METH_VARARGS, PyDoc_STR("crc32(data, seed=0) -> as zlib.crc32")},
    {"messages", messages, METH_VARARGS,
     PyDoc_STR("messages(frames, first, most, topic, uid_start, value_end, uid_header, severities, content_type, now) "
               "-> (messages, next): see otel_stdlib.handlers.kafka.message; fewer than `most` where frame `next` is "
               "not ordinary")},
    {"use", use, METH_O, PyDoc_STR("use(frame) -> None; the class of single frames, before anything else is called")},
    {"walk", walk, METH_VARARGS,
     PyDoc_STR("walk(data, position, base, seed, limit, room, lost=False) -> "
               "(frames, position, damaged, hungry, lost): see otel_stdlib.spool.walk")},
    {NULL, NULL, 0, NULL}};

static int prepare(PyObject *module) {
    /* What is kept here is kept once a process: a subinterpreter uses pure Python. */
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_ImportError, "the compiled path is for the main interpreter only");
        return -1;
    }
    crc32_prepare();
    if (moment_prepare() < 0 || factory_prepare() < 0) return -1;
    PyTypeObject *types[] = {&CounterType, &EncoderType, &FactoryType, &FramesType, &GateType, &RecordWriterType,
                             &RowWriterType, &TipType};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (PyModule_AddType(module, types[i]) < 0) return -1;
    return PyModule_AddIntConstant(module, "ABI", OTEL_STDLIB_ABI);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)prepare},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_core", .m_doc = "The compiled path.", .m_size = 0, .m_methods = methods,
    .m_slots = slots};

PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&definition); }
