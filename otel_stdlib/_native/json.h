/* JSON as orjson writes it, for what an ordinary record holds. Every function answers with the new end. */
#ifndef OTEL_STDLIB_JSON_H
#define OTEL_STDLIB_JSON_H

#include "native.h"

/* Room for one value that is no text. */
#define JSON_NUMBER_ROOM 40
/* Beyond this readers are not exact: orjson's OPT_STRICT_INTEGER. */
#define JSON_INTEGER_LAST 9007199254740991LL
/* From here on releases of orjson write a float differently. */
#define JSON_FLOAT_END 1e16
/* Room for a text of `size` bytes. */
#define JSON_TEXT_ROOM(size) (6 * (size_t)(size) + 2)

char *json_text(char *to, const char *text, size_t size);
char *json_integer(char *to, long long value);
/* NULL from JSON_FLOAT_END on, and for what is not finite. */
char *json_float(char *to, double value);

#endif
