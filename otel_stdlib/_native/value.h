/* JSON's texts and numbers as their values. Whatever is not sure to be read as Python reads it is refused with 0. */
#ifndef OTEL_STDLIB_VALUE_H
#define OTEL_STDLIB_VALUE_H

#include "line.h"

/* UTF-8 without control characters, escapes and all. */
int is_text(Text text);
/* The bytes that simple escapes save; -1 where there are others. */
long long saved_by_escapes(Text text);
/* The text without its escapes, which are simple ones. */
uint8_t *put_unescaped(uint8_t *to, Text text);

typedef enum { WHOLE_NUMBER, FRACTION } Kind;
typedef struct {
    Kind kind;
    int64_t whole;
    double fraction;
} Number;
int number(Text *rest, Number *found);

#endif
