/* Reading an open line that this package's encoder wrote: see otel_stdlib/record/line.py. */
#ifndef OTEL_STDLIB_LINE_H
#define OTEL_STDLIB_LINE_H

#include "native.h"

typedef struct {
    const uint8_t *at, *end;
} Text;

static inline size_t size_of(Text text) { return (size_t)(text.end - text.at); }

/* Whether it goes on with these bytes, and where it goes on behind them. */
static inline int skip(Text *rest, const char *wanted, size_t size) {
    if (size_of(*rest) < size || memcmp(rest->at, wanted, size) != 0) return 0;
    rest->at += size;
    return 1;
}
#define SKIP(rest, literal) skip(rest, literal, sizeof(literal) - 1)

/* What comes before the next quote, which is passed; a backslash in it is refused. */
static inline int plain_text(Text *rest, Text *found) {
    const uint8_t *quote = memchr(rest->at, '"', size_of(*rest));
    if (quote == NULL || memchr(rest->at, '\\', (size_t)(quote - rest->at)) != NULL) return 0;
    *found = (Text){rest->at, quote};
    rest->at = quote + 1;
    return 1;
}

/* The same with escapes, which stay as they are. */
static inline int escaped_text(Text *rest, Text *found) {
    for (const uint8_t *at = rest->at; at < rest->end; at++)
        if (*at == '"') {
            *found = (Text){rest->at, at};
            rest->at = at + 1;
            return 1;
        } else if (*at == '\\' && ++at < rest->end && *at == '\n')
            return 0;
    return 0;
}

static inline int is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

/* At least one digit. */
static inline int digits(Text *rest, Text *found) {
    const uint8_t *at = rest->at;
    while (at < rest->end && is_digit(*at)) at++;
    if (at == rest->at) return 0;
    *found = (Text){rest->at, at};
    rest->at = at;
    return 1;
}

#endif
