/* What the files of the compiled path share. The Python code of the same names is the specification. */
#ifndef OTEL_STDLIB_NATIVE_H
#define OTEL_STDLIB_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

/* The number that otel_stdlib/_native/__init__.py expects: raised with every change of what the two say to each
   other, so that a binary which an editable install left behind is refused. */
#define OTEL_STDLIB_ABI 6

/* A frame: see otel_stdlib/spool/frame.py. */
#define FRAME_MAGIC 0x0001F5FFu
#define FRAME_HEADER 24
#define FRAME_MAX_PAYLOAD (4u << 20)
/* What an envelope begins with: see otel_stdlib/spool/envelope.py. */
#define ENVELOPE_BYTE 0xFF

/* Work below so many bytes is done with the GIL held: letting go of it can cost a switch interval. */
#define WORTH_RELEASING (16 << 10)

static inline uint32_t load_u32(const uint8_t *from) {
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static inline uint64_t load_u64(const uint8_t *from) {
    return (uint64_t)load_u32(from) | (uint64_t)load_u32(from + 4) << 32;
}

/* Whether it is exactly an int, and fits. No error is set. */
static inline int as_integer(PyObject *value, long long *to) {
    int overflow;
    if (!PyLong_CheckExact(value)) return 0;
    *to = PyLong_AsLongLongAndOverflow(value, &overflow);
    return !overflow;
}

/* crc.c */
void crc32_prepare(void);
uint32_t crc32_of(const uint8_t *data, size_t size, uint32_t seed);

/* frames.c: a table of frames in one buffer, and the function that makes one. */
extern PyTypeObject FramesType;
PyObject *walk(PyObject *module, PyObject *args);
/* The class that items of Frames are made of. */
extern PyObject *frame_class;

/* messages.c */
PyObject *messages(PyObject *module, PyObject *args);

/* protobuf.c */
extern PyTypeObject RecordWriterType;

/* rows.c */
extern PyTypeObject RowWriterType;

/* append.c */
extern PyTypeObject CounterType, TipType;

/* factory.c */
extern PyTypeObject FactoryType;
int factory_prepare(void);

/* encoder.c */
extern PyTypeObject EncoderType;

/* gate.c */
extern PyTypeObject GateType;

#endif
